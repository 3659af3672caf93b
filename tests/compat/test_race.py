"""Firn and LanceDB append to one table at the same time."""

import threading

import pytest
from support.tables import documents

APPENDS = 20


@pytest.mark.parametrize("round_", range(5))
def test_racing_appends_lose_nothing_and_double_nothing(s3_db, round_):
    s3_db.load("docs", documents(0, 1))
    acknowledged = {"firn": [], "lancedb": []}
    failures = []

    def ours():
        for i in range(APPENDS):
            try:
                s3_db.load("docs", documents(1000 + i, 1))
                acknowledged["firn"].append(1000 + i)
            except Exception as error:  # noqa: BLE001
                failures.append(("firn", str(error)))

    def theirs():
        table = s3_db.lancedb().open_table("docs")
        for i in range(APPENDS):
            try:
                table.add(documents(2000 + i, 1))
                acknowledged["lancedb"].append(2000 + i)
            except Exception as error:  # noqa: BLE001
                failures.append(("lancedb", str(error)))

    threads = [threading.Thread(target=ours), threading.Thread(target=theirs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not [f for f in failures if f[0] == "firn"], failures
    expected = sorted([0, *acknowledged["firn"], *acknowledged["lancedb"]])
    assert len(acknowledged["firn"]) == APPENDS
    assert sorted(s3_db.rows("docs")["id"].to_pylist()) == expected
    assert sorted(s3_db.lancedb().open_table("docs").to_arrow()["id"].to_pylist()) == expected
