"""kill -9 in the middle of loads: every acknowledged row is there, no partial row ever is."""

import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

BATCH = 50
KILLS = {"folder": 50, "s3": 50}


def row(i):
    return {"id": i, "text": f"row {i} " + "x" * (i % 50), "vector": [float(i), float(i) / 2, 1.0, -float(i)]}


def feed(process, first):
    """Rows from `first` on, without end, until the program dies."""
    i = first
    try:
        while True:
            lines = "".join(json.dumps(row(j)) + "\n" for j in range(i, i + BATCH))
            process.stdin.write(lines.encode())
            process.stdin.flush()
            i += BATCH
    except (BrokenPipeError, ValueError, OSError):
        pass


@pytest.mark.parametrize("where", ["folder", "s3"])
def test_acknowledged_rows_survive_kill_9(where, request):
    db = request.getfixturevalue(where + "_db")
    rng = random.Random(5)
    present = 0
    acknowledged_in_all = 0
    for kill in range(KILLS[where]):
        process = db.firn.start(
            "load", "docs", "-", "--format", "ndjson", "--commit-every", BATCH, "--json", "--db", db.uri,
            env=db.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        feeder = threading.Thread(target=feed, args=(process, present))
        feeder.start()
        acknowledged = 0
        timer = threading.Timer(rng.uniform(0.01, 0.35), lambda: os.kill(process.pid, signal.SIGKILL))
        timer.start()
        for line in process.stdout:  # one line per commit
            acknowledged = json.loads(line)["rows"]
        process.wait()
        timer.cancel()
        feeder.join()
        error = process.stderr.read().decode()
        for stream in (process.stdin, process.stdout, process.stderr):
            try:
                stream.close()
            except OSError:
                pass
        assert process.returncode == -signal.SIGKILL, error

        found = db.rows("docs") if present + acknowledged > 0 or table_exists(db) else None
        rows = found.num_rows if found else 0
        assert rows >= present + acknowledged, f"kill {kill}: an acknowledged row is lost"
        assert (rows - present) % BATCH == 0, f"kill {kill}: a part of a commit is there"
        assert rows - present <= acknowledged + BATCH, f"kill {kill}: more than one commit was not acknowledged"
        if found:
            assert sorted(found["id"].to_pylist()) == list(range(rows))
            for each in found.slice(max(0, rows - 2 * BATCH)).to_pylist():
                assert each == row(each["id"])
        present = rows
        acknowledged_in_all += acknowledged
    assert acknowledged_in_all > KILLS[where], "the kills came before anything was written: this test showed nothing"
    assert db.lancedb().open_table("docs").count_rows() == present


def table_exists(db):
    return "docs" in db.json("tables")["tables"]
