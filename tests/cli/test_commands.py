"""The firn command as a person uses it."""

import json
import os
import pathlib
import pty
import subprocess

import pytest
from support.tables import documents

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "samples/packages.ndjson.gz"

DOCS = [
    {"id": 1, "title": "firn", "year": 2021, "vector": [1.0, 0.0, 0.0], "tags": ["snow", "old"]},
    {"id": 2, "title": "ice", "year": 2022, "vector": [0.0, 1.0, 0.0], "tags": ["cold"]},
    {"id": 3, "title": "névé", "year": None, "vector": [0.9, 0.1, 0.0], "tags": []},
]


@pytest.fixture
def docs(folder_db):
    folder_db.load("docs", DOCS)
    return folder_db


def test_the_sample_answers_a_filtered_search(db):
    db.run("load", "packages", SAMPLE)
    hits = db.json("search", "packages", "--like", "package = 'vim'", "--metric", "cosine", "--where", "section = 'editors'", "-k", "3")["results"]
    assert hits[0]["package"] == "vim" and hits[0]["_distance"] < 1e-3
    assert {hit["section"] for hit in hits} == {"editors"}


def test_load_makes_a_table_and_then_appends(docs):
    assert docs.json("show", "docs")["rows"] == 3
    docs.load("docs", [{"id": 4, "title": "glacier", "vector": [0, 0, 1]}])
    shown = docs.json("show", "docs")
    assert shown["rows"] == 4 and shown["version"] == 2
    types = {c["name"]: c["type"] for c in shown["columns"]}
    assert types["vector"] == "fixed_size_list<float>[3]" and types["id"] == "int64" and types["title"] in ("utf8", "string")
    docs.load("docs", DOCS[:1], "--overwrite")
    assert docs.json("rows", "docs", "--count")["rows"] == 1
    assert docs.json("rows", "docs", "--count", "--version", "2")["rows"] == 4
    assert [v["rows"] for v in docs.json("show", "docs", "--versions")["versions"]] == [3, 4, 1]


def test_search_gives_the_nearest_first(docs):
    hits = docs.search("docs", [1, 0, 0], "-k", "2")
    assert [h["id"] for h in hits] == [1, 3] and hits[0]["_distance"] == 0
    assert [h["id"] for h in docs.search("docs", [1, 0, 0], "--where", "array_has(tags, 'cold') OR year IS NULL")] == [3, 2]
    assert [h["id"] for h in docs.search("docs", [1, 0, 0], "--max-distance", "0.5", "--min-distance", "0.001")] == [3]
    assert list(docs.search("docs", [1, 0, 0], "--columns", "title", "--with-row-id")[0]) == ["title", "_rowid", "_distance"]


def test_many_vectors_of_a_file_are_searched_for_at_once(docs, tmp_path):
    import numpy as np

    queries = [[1, 0, 0], [0, 1, 0], [0.9, 0.1, 0]]
    np.save(tmp_path / "queries.npy", np.array(queries, dtype=np.float32))
    args = ["-k", "2", "--columns", "id"]
    found = docs.json("search", "docs", "--vectors", tmp_path / "queries.npy", *args, "--explain")
    assert found["results"] == [docs.search("docs", query, *args) for query in queries]
    assert "for 3 vectors at once" in found["explain"]["plan"]
    text = docs.run("search", "docs", "--vectors", tmp_path / "queries.npy", *args).stdout
    assert [line for line in text.splitlines() if line.startswith("query")] == ["query 0", "query 1", "query 2"]
    np.save(tmp_path / "short.npy", np.zeros((2, 2), np.float32))
    code, words = docs.fails("search", "docs", "--vectors", tmp_path / "short.npy")
    assert code == 2 and "query vector 0 has 2 values" in words
    code, words = docs.fails("search", "docs", "--vectors", tmp_path / "none.npy")
    assert code == 3 and "none.npy" in words
    assert docs.fails("search", "docs", "--vectors", tmp_path / "queries.npy", "--like", "id = 1")[0] == 2


def test_explain_says_what_a_search_cost(docs):
    explain = docs.json("search", "docs", "--vector", "[1,0,0]", "--explain")["explain"]
    assert explain["rounds"] >= 3 and explain["requests"] >= explain["rounds"] and explain["bytes_read"] > 0
    text = docs.run("search", "docs", "--vector", "[1,0,0]", "--explain").stdout
    assert "rounds" in text and "exact l2" in text


@pytest.mark.parametrize("format_", ["json", "ndjson", "csv", "arrow"])
def test_rows_come_back_in_every_format(docs, tmp_path, format_):
    out = tmp_path / f"out.{format_}"
    docs.run("rows", "docs", "--format", format_, "--output", out)
    docs.run("create", "again", out)
    again = docs.json("rows", "again", "--columns", "id,title,year,vector")
    assert [(r["id"], r["title"], r["year"]) for r in again] == [(d["id"], d["title"], d["year"]) for d in DOCS]
    assert [r["vector"] for r in again] == [d["vector"] for d in DOCS] or format_ != "arrow"
    assert not list(tmp_path.glob("*.part"))


def test_create_from_a_schema(folder_db):
    folder_db.run("create", "t", "--schema", "id int64 not null, at timestamp[us, UTC], v vector(2, f16)")
    folder_db.load("t", [{"id": 1, "at": "2024-05-01T10:00:00Z", "v": [0.5, 1]}])
    assert folder_db.json("rows", "t") == [{"id": 1, "at": "2024-05-01T10:00:00Z", "v": [0.5, 1]}] or folder_db.json("rows", "t")[0]["v"] == [0.5, 1]
    code, words = folder_db.fails("load", "t", "-", "--format", "ndjson", input='{"v":[1,2]}\n')
    assert code == 2 and "id" in words


def test_a_vector_column_from_its_own_file(folder_db, tmp_path):
    import numpy as np

    np.save(tmp_path / "v.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
    (tmp_path / "meta.csv").write_text("id,name\n1,a\n2,b\n3,c\n")
    folder_db.run("load", "t", tmp_path / "meta.csv", "--column", f"vector={tmp_path}/v.npy")
    assert folder_db.json("rows", "t", "--columns", "id,vector")[2] == {"id": 3, "vector": [4, 5]}
    np.save(tmp_path / "short.npy", np.zeros((2, 2), np.float32))
    code, words = folder_db.fails("load", "u", tmp_path / "meta.csv", "--column", f"vector={tmp_path}/short.npy")
    assert code == 2 and "has 2 rows" in words
    assert folder_db.json("tables")["tables"] == ["t"]


BAD_ROWS = [
    ('{"id":5,"vector":[1,2]}', ["row 1", "vector", "3"]),
    ('{"id":5,"vector":[1,2,NaN]}', ["row 1"]),
    ('{"id":"five","vector":[1,2,3]}', ["row 1", "id"]),
    ('{"id":5,"nope":1}', ["row 1", "nope"]),
    ('{"id":5,"vector":[1,2,3]', ["line 2"]),
]


@pytest.mark.parametrize("bad,words", BAD_ROWS)
def test_a_bad_row_is_named_and_nothing_is_written(docs, bad, words):
    good = json.dumps(DOCS[0])
    code, said = docs.fails("load", "docs", "-", "--format", "ndjson", input=f"{good}\n{bad}\n{good}\n")
    assert code == 2
    for word in words:
        assert word in said, said
    assert docs.json("show", "docs")["version"] == 1


BAD_CALLS = [
    (["search", "docs", "--vector", "[1,0]"], 2, "has 2 values"),
    (["search", "docs", "--vector", "[1,0,0]", "-k", "0"], 2, "k is 0"),
    (["search", "docs", "--vector", "[1,0,0]", "-k", "2000000"], 2, "1000000"),
    (["search", "docs", "--vector", "oops"], 2, "JSON list"),
    (["search", "docs", "--vector", "[1,0,0]", "--where", "yeer = 1"], 2, "year"),
    (["search", "docs", "--vector", "[1,0,0]", "--where", "year = = 1"], 2, "^"),
    (["search", "docs"], 2, "--like"),
    (["search", "docs", "--vector", "[1,0,0]", "--metric", "manhattan"], 2, "cosine"),
    (["rows", "docs", "--columns", "nope"], 2, "nope"),
    (["rows", "nope"], 3, "nope"),
    (["rows", "docs", "--version", "9"], 3, "9"),
    (["rows", "a/b"], 2, "not a table name"),
    (["rows", ".."], 2, "not a table name"),
    (["create", "docs", "--schema", "id int64"], 4, "exists already"),
    (["create", "new", "--schema", "id int65"], 2, "int65"),
    (["create", "new"], 2, "--schema"),
    (["drop", "nope"], 3, "nope"),
    (["load", "docs", "no-such-file.csv"], 3, "no-such-file.csv"),
    (["frobnicate"], 2, "--help"),
    (["rows", "docs", "--limit", "many"], 2, "--limit"),
]


@pytest.mark.parametrize("args,exit_code,words", BAD_CALLS, ids=lambda x: " ".join(x) if isinstance(x, list) else None)
def test_bad_input_gets_one_clear_error(docs, args, exit_code, words):
    code, said = docs.fails(*args)
    assert code == exit_code, said
    assert words in said, said
    assert "Traceback" not in said and said.count("\n") <= 6


def test_errors_are_json_for_programs(docs):
    code, said = docs.fails("rows", "nope", "--json")
    error = json.loads(said)["error"]
    assert error["kind"] == "NotFound" and "nope" in error["message"] and code == 3


def test_s3_trouble_is_said_plainly(s3_db, firn):
    s3_db.load("docs", DOCS)
    missing = s3_db.uri.replace("s3://b", "s3://x")
    result = firn.run("tables", "--db", missing, env=s3_db.env, check=False)
    assert result.returncode == 3 and "bucket" in result.stderr, result.stderr
    result = firn.run("tables", "--db", s3_db.uri, env=s3_db.env | {"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, check=False)
    assert result.returncode == 6 and "wrong-secret" not in result.stderr, result.stderr
    result = firn.run("tables", "--db", s3_db.uri, "--timeout", "3", env=s3_db.env | {"AWS_ENDPOINT": "http://127.0.0.1:9"}, check=False)
    assert result.returncode in (8, 9), result.stderr
    result = firn.run("tables", "--db", "s3://", env=s3_db.env, check=False)
    assert result.returncode == 2, result.stderr


def test_doctor_finds_a_good_store_good(db):
    report = db.json("doctor")
    assert report["verdict"] == "ok", report
    assert {f["verdict"] for f in report["findings"]} == {"ok"}
    assert db.json("tables")["tables"] == []


def test_a_table_may_be_named_by_its_path(docs, firn):
    out = firn.run("rows", f"{docs.uri}/docs.lance", "--count").stdout
    assert out.strip() == "3"


def corrupt(path, how):
    data = bytearray(path.read_bytes())
    if how == "truncate":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        for i in range(0, len(data), max(1, len(data) // 40)):
            data[i] ^= 0xFF
        path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["truncate", "empty", "flip"])
@pytest.mark.parametrize("what", ["data", "_versions"])
def test_corrupt_objects_are_named_and_never_crash(folder_db, what, how):
    folder_db.load("docs", documents(0, 200))
    victim = next(pathlib.Path(folder_db.uri, "docs.lance", what).iterdir())
    corrupt(victim, how)
    code, said = folder_db.fails("rows", "docs", "--format", "ndjson")
    assert code == 10, said
    assert victim.name in said or "docs.lance" in said, said


def test_help_shows_examples(firn):
    for command in ["", "load", "search", "rows", "create", "serve", "doctor"]:
        text = firn.run(*([command] if command else []), "--help").stdout
        assert "Examples:" in text, command
    assert firn.run("version").stdout.startswith("firn ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_name_the_commands(firn, shell):
    script = firn.run("completions", shell).stdout
    for command in ["load", "search", "serve", "--where"]:
        assert command.lstrip("-") in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_a_terminal_shows_a_table(docs):
    """Through a pseudo-terminal, as a person sees it."""
    leader, follower = pty.openpty()
    process = docs.firn.start("rows", "docs", "--db", docs.uri, stdout=follower, stderr=follower)
    process.wait(timeout=30)
    os.close(follower)
    text = os.read(leader, 65536).decode()
    os.close(leader)
    assert process.returncode == 0
    assert "title" in text and "névé" in text and "───" in text


def test_committed_portions_are_announced(folder_db):
    lines = "".join(json.dumps({"id": i, "vector": [i, 1]}) + "\n" for i in range(250))
    out = folder_db.run("load", "t", "-", "--format", "ndjson", "--commit-every", "100", "--json", input=lines).stdout
    assert [json.loads(line)["rows"] for line in out.splitlines()] == [100, 200, 250]
    assert folder_db.json("show", "t")["fragments"] == 3
