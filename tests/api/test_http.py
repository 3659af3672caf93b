"""The server as its clients see it, on a folder and on S3."""

import json
import signal
import socket
import threading
import time

import pyarrow as pa
import pytest
import requests
from support.firn import Server
from support.tables import documents

ROWS = [
    {"id": 1, "title": "firn", "vector": [1.0, 0.0]},
    {"id": 2, "title": "ice", "vector": [0.0, 1.0]},
    {"id": 3, "title": "snow", "vector": [0.8, 0.2]},
]


@pytest.fixture
def server(db):
    with Server(db) as running:
        yield running


@pytest.fixture
def local(folder_db):
    with Server(folder_db) as running:
        yield running


def test_the_service_that_firn_replaces(server):
    """Create, list and search with the older routes, byte for byte what their clients send."""
    created = requests.post(f"{server.url}/tables", json={"name": "docs", "data": ROWS})
    assert created.status_code in (200, 201), created.text
    assert "docs" in json.dumps(requests.get(f"{server.url}/tables").json()["tables"])
    found = requests.post(f"{server.url}/search", json={"table": "docs", "query_vector": [1, 0], "limit": 2})
    assert found.status_code == 200, found.text
    results = found.json()["results"]
    assert [r["id"] for r in results] == [1, 3] and results[0]["_distance"] == 0
    filtered = requests.post(f"{server.url}/search", json={"table": "docs", "query_vector": [1, 0], "limit": 2, "filter": "title = 'ice'"})
    assert [r["title"] for r in filtered.json()["results"]] == ["ice"]
    assert requests.get(f"{server.url}/health").status_code == 200
    metrics = requests.get(f"{server.url}/metrics").text
    for name in ["requests_total", "request_duration_seconds", "errors_total", "tables_total", "search_operations_total"]:
        assert f"lancedb_{name}" in metrics


def test_the_native_api_from_create_to_drop(server):
    base = f"{server.url}/v1/tables"
    data = documents(0, 100)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data)
    arrow = {"Content-Type": "application/vnd.apache.arrow.stream"}
    made = requests.post(f"{base}/docs", data=sink.getvalue().to_pybytes(), headers=arrow)
    assert made.status_code in (200, 201), made.text
    lines = "".join(json.dumps({"id": i, "text": "more", "group": "red", "price": None, "vector": [0.0] * 16}) + "\n" for i in (200, 201))
    appended = requests.post(f"{base}/docs/rows", data=lines, headers={"Content-Type": "application/x-ndjson"})
    assert appended.status_code < 300, appended.text
    assert requests.get(f"{base}/docs").json()["rows"] == 102
    assert requests.get(f"{base}/docs/count", params={"filter": "id >= 200"}).json()["count"] == 2
    assert len(requests.get(f"{base}/docs/versions").json()["versions"]) == 2

    scanned = requests.get(f"{base}/docs/rows", params={"filter": "id < 5", "columns": "id,price", "format": "arrow"})
    assert pa.ipc.open_stream(scanned.content).read_all()["id"].to_pylist() == [0, 1, 2, 3, 4]
    page = requests.get(f"{base}/docs/rows", params={"limit": 3, "offset": 100, "columns": "id", "format": "ndjson"}).text
    assert [json.loads(line)["id"] for line in page.splitlines()] == [200, 201]

    query = {"vector": data["vector"][42].as_py(), "k": 3, "with_row_id": True, "explain": True, "columns": ["id"]}
    found = requests.post(f"{base}/docs/search", json=query).json()
    assert found["results"][0]["id"] == 42 and found["explain"]["rows_scanned"] == 102
    del query["vector"]
    several = requests.post(f"{base}/docs/search", json=query | {"vectors": [data["vector"][i].as_py() for i in (7, 42)]}).json()
    assert [rows[0]["id"] for rows in several["results"]] == [7, 42] and several["results"][1] == found["results"]
    assert several["explain"]["rows_scanned"] == 204
    flat = requests.post(f"{base}/docs/search", params={"format": "arrow"}, json=query | {"vectors": [[0.0] * 16] * 3})
    assert pa.ipc.open_stream(flat.content).read_all()["_query"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    taken = requests.post(f"{base}/docs/take", json={"row_ids": [r["_rowid"] for r in found["results"]], "columns": ["id"]}).json()
    rows = taken["rows"] if "rows" in taken else taken["results"]
    assert [r["id"] for r in rows] == [r["id"] for r in found["results"]]
    assert server.database.lancedb().open_table("docs").count_rows() == 102
    assert requests.delete(f"{base}/docs").status_code in (200, 204)
    assert requests.get(f"{base}/docs").status_code == 404


BAD = [
    ("POST", "/tables", {"name": "a/b", "data": ROWS}, 400),
    ("POST", "/tables", {"name": "..", "data": ROWS}, 400),
    ("POST", "/tables", {"name": "x"}, 400),
    ("POST", "/tables", {"name": "x", "data": [{"vector": [1, 2]}, {"vector": [1]}]}, 400),
    ("POST", "/tables", {"name": "docs", "data": ROWS}, 409),
    ("POST", "/search", {"table": "none", "query_vector": [1, 0], "limit": 1}, 404),
    ("POST", "/search", {"table": "docs", "query_vector": [1, 0, 0], "limit": 1}, 400),
    ("POST", "/search", {"table": "docs", "query_vector": [1, 0], "limit": 0}, 400),
    ("POST", "/search", {"table": "docs", "query_vector": [1, 0], "limit": 10**9}, 400),
    ("POST", "/search", {"table": "docs", "query_vector": [1, 0], "limit": 1, "filter": "title ="}, 400),
    ("POST", "/search", {"table": "docs", "query_vector": ["a", 0], "limit": 1}, 400),
    ("POST", "/v1/tables/docs/search", {"vector": [1, 0], "kk": 3}, 400),
    ("POST", "/v1/tables/docs/search", {"vector": [1, 0], "column": "title"}, 400),
    ("POST", "/v1/tables/docs/search", {"vector": [1, 0], "vectors": [[1, 0]]}, 400),
    ("POST", "/v1/tables/docs/search", {"vectors": [[1, 0], [1]]}, 400),
    ("POST", "/v1/tables/docs/search", {"vectors": [[1, 0]] * 1001, "k": 1}, 400),
    ("POST", "/v1/tables/docs/rows", [{"id": "x", "vector": [1, 0]}], 400),
    ("POST", "/v1/tables/docs/rows", [{"unknown": 1}], 400),
    ("GET", "/v1/tables/docs/rows?columns=nope", None, 400),
    ("GET", "/v1/tables/docs/rows?limit=x", None, 400),
    ("GET", "/v1/tables/docs?version=99", None, 404),
    ("GET", "/nowhere", None, 404),
    ("PATCH", "/tables", None, 405),
]


def test_bad_requests_get_a_clear_4xx_and_write_nothing(local):
    assert requests.post(f"{local.url}/tables", json={"name": "docs", "data": ROWS}).status_code < 300
    for method, path, body, status in BAD:
        answer = requests.request(method, local.url + path, json=body)
        assert answer.status_code == status, (method, path, body, answer.status_code, answer.text)
        error = answer.json()["error"]
        assert error["message"] and error["kind"], answer.text
        assert answer.headers["x-request-id"]
    broken = requests.post(f"{local.url}/v1/tables/docs/rows", data='{"id":9,"vector":[1,2]}\n{"id":\n', headers={"Content-Type": "application/x-ndjson"})
    assert broken.status_code == 400 and "line 2" in broken.text, broken.text
    nan = requests.post(f"{local.url}/search", data='{"table":"docs","query_vector":[1,NaN],"limit":1}', headers={"Content-Type": "application/json"})
    assert nan.status_code == 400
    described = requests.get(f"{local.url}/v1/tables/docs").json()
    assert described["rows"] == 3 and described["version"] == 1
    assert requests.get(f"{local.url}/v1/tables").json()["tables"] == ["docs"]


def test_keys_open_only_what_their_scopes_allow(folder_db, tmp_path):
    keys = tmp_path / "keys.jsonl"
    key = {scope: folder_db.firn.run("keys", keys, "--id", scope, "--scopes", scope, "-q").stdout.strip() for scope in ("read", "write", "admin")}
    assert all(secret not in keys.read_text() for secret in key.values())
    with Server(folder_db, "--keys-file", keys) as server:

        def call(method, path, secret=None, **kwargs):
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            return requests.request(method, server.url + path, headers=headers, **kwargs).status_code

        create = {"json": {"name": "docs", "data": ROWS}}
        assert call("GET", "/health") == 200
        assert call("GET", "/tables") == 401
        assert call("GET", "/tables", "firn_read_0000") == 401
        assert call("POST", "/tables", key["read"], **create) == 403
        assert call("POST", "/tables", key["write"], **create) in (200, 201)
        assert call("GET", "/tables", key["read"]) == 200
        assert call("DELETE", "/v1/tables/docs", key["write"]) == 403
        assert call("DELETE", "/v1/tables/docs", key["admin"]) in (200, 204)


def test_a_body_over_the_limit_is_refused(folder_db):
    with Server(folder_db, "--max-body-bytes", "20000") as server:
        answer = requests.post(f"{server.url}/tables", json={"name": "docs", "data": ROWS * 1000})
        assert answer.status_code == 413 and "20000" in answer.text.replace(",", ""), answer.text
        assert requests.get(f"{server.url}/tables").json()["tables"] == []


def test_an_endless_request_and_a_client_that_hangs_up_do_no_harm(local):
    host, port = local.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as endless:
        endless.sendall(b"POST /tables HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            endless.sendall(b"5\r\n[[[[[\r\n")
    with socket.create_connection((host, int(port))) as header:
        try:
            header.sendall(b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 200_000)
            header.settimeout(5)
            assert header.recv(100).startswith((b"HTTP/1.1 431", b"HTTP/1.1 400", b""))
        except ConnectionError:
            pass
    assert requests.get(f"{local.url}/health").status_code == 200


def test_sigterm_lets_running_requests_finish(folder_db):
    server = Server(folder_db)
    with server:
        requests.post(f"{server.url}/tables", json={"name": "docs", "data": ROWS})
        answers = []

        def slowly():
            body = json.dumps({"table": "docs", "query_vector": [1, 0], "limit": 1}).encode()
            host, port = server.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
                connection.sendall(body[:10])
                time.sleep(1.0)
                connection.sendall(body[10:])
                connection.settimeout(20)
                answers.append(connection.recv(4096))

        thread = threading.Thread(target=slowly)
        thread.start()
        time.sleep(0.4)
        server.process.send_signal(signal.SIGTERM)
        thread.join()
        assert answers and answers[0].startswith(b"HTTP/1.1 200"), answers
        assert server.process.wait(timeout=30) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{server.url}/health", timeout=2)


def test_config_comes_from_flag_then_env_then_file(folder_db, tmp_path, firn):
    config = tmp_path / "firn.toml"
    config.write_text("[server]\nport = 7001\n[limits]\nbody_bytes = 1234567\n")
    env = {"PORT": "7002", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_ACCESS_KEY_ID": "id", "LANCEDB_BUCKET": "lake", "LOG_LEVEL": "warn"}
    text = firn.run("serve", "--config", config, "--print-config", env=env).stdout
    assert "7002" in text and "1234567" in text and "s3://lake" in text
    assert "very-secret" not in text
    assert "7003" in firn.run("serve", "--config", config, "--port", "7003", "--print-config", env=env).stdout


def test_many_clients_at_once(local):
    requests.post(f"{local.url}/tables", json={"name": "docs", "data": ROWS})
    failures = []

    def work(n):
        session = requests.Session()
        for i in range(10):
            row = [{"id": 1000 * n + i, "title": "t", "vector": [n, i]}]
            answer = session.post(f"{local.url}/v1/tables/docs/rows", json=row)
            if answer.status_code >= 300:
                failures.append(answer.text)
            answer = session.post(f"{local.url}/search", json={"table": "docs", "query_vector": [n, i], "limit": 1})
            if answer.status_code != 200 or answer.json()["results"][0]["_distance"] != 0:
                failures.append(answer.text)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert requests.get(f"{local.url}/v1/tables/docs").json()["rows"] == 83
    metrics = requests.get(f"{local.url}/metrics").text
    total = [line for line in metrics.splitlines() if line.startswith("lancedb_search_operations_total")]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in total) >= 80
