"""Firn and LanceDB on the same tables: what one writes the other reads, searches and goes on with."""

import json
import os
import subprocess
import textwrap

import lance
import numpy as np
import pyarrow as pa
import pytest
from support.tables import documents, every_type, same_values

OLDER_PYTHON = os.environ.get("FIRN_OLDER_PYTHON", os.path.join(os.path.dirname(__file__), "../../build/venv-older/bin/python"))

FILTERS = [
    "id < 10",
    "price > 20 AND price <= 40",
    "price IS NULL",
    "price IS NOT NULL AND NOT (id % 2 = 0)",
    "`group` IN ('red', 'blue') AND id BETWEEN 5 AND 60",
    "text LIKE 'document 1%'",
    "text ILIKE '%MENT 7'",
    "regexp_like(text, '[02468]$')",
    "cast(id as string) = '42'",
    "id * 2 + 1 > 100",
    "`group` <> 'red' OR price = 3.0",
    "length(text) = 10",
]


def lance_table(path, version=None):
    return lance.dataset(path, version=version).to_table()


def older(script, **values):
    """Runs a script under the older LanceDB."""
    # _exit: that release's threads can crash the interpreter while it shuts down.
    leave = "\nimport os, sys; sys.stdout.flush(); os._exit(0)\n"
    code = "".join(f"{name} = {value!r}\n" for name, value in values.items()) + textwrap.dedent(script) + leave
    result = subprocess.run([OLDER_PYTHON, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("with_nulls", [True, False])
@pytest.mark.parametrize("rows", [1, 50, 5000])
def test_lance_reads_every_type_that_firn_wrote(folder_db, rows, with_nulls):
    data = every_type(rows, with_nulls=with_nulls)
    folder_db.load("types", data)
    same_values(data, lance_table(f"{folder_db.uri}/types.lance"))


@pytest.mark.parametrize("version", ["2.1", "2.2", None])
@pytest.mark.parametrize("with_nulls", [True, False])
@pytest.mark.parametrize("rows", [1, 50, 5000])
def test_firn_reads_every_type_that_lance_wrote(folder_db, version, rows, with_nulls):
    data = every_type(rows, with_nulls=with_nulls)
    lance.write_dataset(data, f"{folder_db.uri}/types.lance", data_storage_version=version)
    same_values(data, folder_db.rows("types"))


def test_an_older_lancedb_reads_what_firn_wrote_and_the_other_way_round(folder_db):
    data = every_type(300)
    folder_db.load("types", data)
    with pa.OSFile(f"{folder_db.uri}/expected.arrow", "wb") as file, pa.ipc.new_file(file, data.schema) as writer:
        writer.write_table(data)
    out = older(
        """
        import lancedb, pyarrow as pa, sys
        expected = pa.ipc.open_file(pa.OSFile(uri + "/expected.arrow")).read_all()
        db = lancedb.connect(uri)
        actual = db.open_table("types").to_arrow()
        for name in expected.column_names:
            assert actual[name].to_pylist() == expected[name].to_pylist(), name
        db.create_table("theirs", expected, storage_options={"new_table_data_storage_version": "2.1"})
        db.create_table("default", expected)
        db.open_table("types").add(expected.slice(0, 10))
        db.open_table("types").delete("id = 5")
        print(lancedb.__version__)
        """,
        uri=folder_db.uri,
    )
    assert out.startswith("0.30"), out
    same_values(data, folder_db.rows("theirs"))
    code, words = folder_db.fails("rows", "default")
    assert code == 11 and "file format 2.0" in words, "that release's default is a format before ours: said, with the way out"
    assert folder_db.rows("types").num_rows == 308
    folder_db.load("types", data.slice(0, 3))
    older("import lancedb; assert lancedb.connect(uri).open_table('types').count_rows() == 311", uri=folder_db.uri)


def test_values_of_any_length(folder_db):
    texts = ["", "x", "y" * 300, "z" * 40_000, "é" * 2_000_000, None, "w" * 257]
    data = pa.table({"text": texts, "bytes": [None if t is None else t.encode() for t in texts]})
    folder_db.load("long", data)
    same_values(data, lance_table(f"{folder_db.uri}/long.lance"))
    for version in ["2.1", "2.2"]:
        lance.write_dataset(data, f"{folder_db.uri}/theirs.lance", data_storage_version=version, mode="overwrite" if version == "2.2" else "create")
        same_values(data, folder_db.rows("theirs"))


def test_scans_filters_and_searches_agree(db):
    data = documents(0, 300)
    db.load("docs", data)
    ours, theirs = db, db.lancedb().open_table("docs")
    query = np.random.default_rng(1).standard_normal(16).astype(np.float32)
    for filter_ in FILTERS:
        expected = theirs.search().where(filter_).limit(1000).to_arrow()
        actual = ours.rows("docs", "--where", filter_)
        assert actual["id"].to_pylist() == expected["id"].to_pylist(), filter_
        assert ours.json("rows", "docs", "--count", "--where", filter_)["rows"] == theirs.count_rows(filter_)
        for metric in ["l2", "cosine", "dot"]:
            found = theirs.search(query).metric(metric).where(filter_, prefilter=True).limit(7).to_arrow()
            hits = ours.search("docs", query, "-k", "7", "--metric", metric, "--where", filter_)
            assert [h["id"] for h in hits] == found["id"].to_pylist(), (filter_, metric)
            np.testing.assert_allclose([h["_distance"] for h in hits], found["_distance"].to_numpy(), rtol=1e-4, atol=1e-5)


def test_lancedb_goes_on_after_each_of_our_operations(db):
    def check(table, ids):
        assert table.count_rows() == len(ids)
        assert sorted(table.to_arrow()["id"].to_pylist()) == sorted(ids)
        target = max(ids)
        vector = documents(target, 1)["vector"][0].as_py()
        assert table.search(vector).limit(1).to_arrow()["id"][0].as_py() == target

    db.load("docs", documents(0, 40))
    ids = list(range(40))
    table = db.lancedb().open_table("docs")
    check(table, ids)

    db.load("docs", documents(40, 10))  # our append under their open handle
    ids += range(40, 50)
    table.checkout_latest()
    check(table, ids)

    table.add(documents(50, 10))  # theirs, then ours
    db.load("docs", documents(60, 10))
    ids += range(50, 70)
    table.checkout_latest()
    check(table, ids)

    table.delete("id % 10 = 3")
    ids = [i for i in ids if i % 10 != 3]
    assert sorted(db.rows("docs")["id"].to_pylist()) == ids
    assert db.json("rows", "docs", "--count")["rows"] == len(ids)
    db.load("docs", documents(100, 5))
    ids += range(100, 105)
    table.checkout_latest()
    check(table, ids)

    table.update(where="id = 100", values={"text": "changed"})
    assert db.rows("docs", "--where", "text = 'changed'")["id"].to_pylist() == [100]

    table.optimize()
    assert sorted(db.rows("docs")["id"].to_pylist()) == sorted(ids)
    db.load("docs", documents(200, 1))
    ids.append(200)
    table.checkout_latest()
    check(table, ids)

    table.create_scalar_index("id")
    db.load("docs", documents(201, 1))
    ids.append(201)
    table.checkout_latest()
    check(table, ids)
    assert table.search().where("id = 201").to_arrow().num_rows == 1
    assert len(table.list_indices()) == 1, "our commits keep their index"

    table.add_columns({"twice": "id * 2"})
    assert db.rows("docs", "--where", "twice = 400")["id"].to_pylist() == [200]
    rows = [{"id": 300, "text": "t", "group": "red", "price": 1.5, "vector": [0.0] * 16, "twice": 600}]
    db.load("docs", rows)
    table.checkout_latest()
    assert table.search().where("twice = 600").to_arrow()["id"].to_pylist() == [300]

    assert table.list_versions()[0]["version"] == 1
    table.restore(1)
    assert sorted(db.rows("docs")["id"].to_pylist()) == list(range(40))


def test_a_table_that_was_dropped_is_gone_for_both(db):
    db.load("a", documents(0, 3))
    db.load("b", documents(0, 3))
    assert sorted(db.lancedb().table_names()) == ["a", "b"]
    db.run("drop", "a")
    assert db.lancedb().table_names() == ["b"]
    db.lancedb().drop_table("b")
    assert db.json("tables")["tables"] == []


def test_overwrite_keeps_history_for_both(folder_db):
    folder_db.load("docs", documents(0, 5))
    folder_db.load("docs", documents(10, 2), "--overwrite")
    path = f"{folder_db.uri}/docs.lance"
    assert lance_table(path)["id"].to_pylist() == [10, 11]
    assert lance_table(path, version=1)["id"].to_pylist() == [0, 1, 2, 3, 4]
    lance.write_dataset(pa.table({"other": [1.5]}), path, mode="overwrite")
    assert folder_db.rows("docs").to_pydict() == {"other": [1.5]}
    assert folder_db.rows("docs", "--version", "1").num_rows == 5


def test_what_firn_cannot_read_it_refuses_with_a_sentence(folder_db):
    lance.write_dataset(documents(0, 5), f"{folder_db.uri}/old.lance", data_storage_version="legacy")
    code, words = folder_db.fails("rows", "old")
    assert code == 11 and "file format 0." in words, words


def test_firn_uses_vectors_of_an_indexed_table(folder_db):
    data = documents(0, 2000)
    table = folder_db.lancedb().create_table("docs", data)
    table.create_index(metric="l2", num_partitions=4, num_sub_vectors=4)
    folder_db.load("docs", documents(2000, 10))
    query = documents(2005, 1)["vector"][0].as_py()
    assert folder_db.search("docs", query, "-k", "1")[0]["id"] == 2005
    table.checkout_latest()
    assert table.search(query).limit(1).to_arrow()["id"][0].as_py() == 2005
    assert json.dumps(table.list_indices()[0].name)
