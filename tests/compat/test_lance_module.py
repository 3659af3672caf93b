"""The lance/ module alone against LanceDB: it writes (through its test program), LanceDB reads, changes and goes on.

FIRN_LANCE_TEST names the test program (build/dev/src/firn_lance_test); without it everything here is skipped. The same file runs
under an older LanceDB: only the packages lancedb, pyarrow and numpy are needed.
"""

import os
import subprocess
import sys

import lancedb
import numpy as np
import pyarrow as pa
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.tables import documents, every_type, same_values  # noqa: E402

PROGRAM = os.environ.get("FIRN_LANCE_TEST")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="FIRN_LANCE_TEST is not set")


class Writer:
    """Our side."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.db = lancedb.connect(self.folder)

    def write(self, mode, table, data, version="2.1", page_bytes=None, repeats=1):
        path = os.path.join(self.folder, f"{mode}.arrow")
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, data.schema) as writer:
            writer.write_table(data, max_chunksize=1000)
        environment = dict(
            os.environ,
            FIRN_INTEROP_DB=self.folder,
            FIRN_INTEROP_TABLE=table,
            FIRN_INTEROP_MODE=mode,
            FIRN_INTEROP_INPUT=path,
            FIRN_INTEROP_VERSION=version,
            FIRN_INTEROP_PAGE_BYTES=str(page_bytes or ""),
            FIRN_INTEROP_REPEATS=str(repeats),
        )
        done = subprocess.run([PROGRAM, "--gtest_filter=Interop.Writes*"], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def open(self, table):
        return self.db.open_table(table)


@pytest.fixture
def writer(tmp_path):
    return Writer(tmp_path)


def nested_types(rows):
    """Nulls and empties at every level, lists of vectors, and runs of empty lists longer than a chunk can hold."""
    n = range(rows)
    deep = pa.struct([("a", pa.list_(pa.struct([("b", pa.list_(pa.int16())), ("c", pa.string())])))])

    def value(i):
        if i % 11 == 0:
            return None
        if i % 11 == 1:
            return {"a": None}
        return {"a": [None if j == 3 else {"b": None if j == 1 else [k for k in range(j)], "c": None if j == 2 else f"{i}-{j}"} for j in range(i % 5)]}

    return pa.table(
        {
            "deep": pa.array([value(i) for i in n], deep),
            "matrix": pa.array([None if i % 5 == 0 else [[float(j), i] for j in range(i % 3)] for i in n], pa.list_(pa.list_(pa.float32(), 2))),
            "mostly_empty": pa.array([[i, None] if i % 3001 == 3000 else ([] if i % 2 else None) for i in n], pa.list_(pa.int32())),
            "flags": pa.array([[True, None, False][: i % 4] for i in n], pa.list_(pa.bool_())),
            "large": pa.array([None if i % 4 == 0 else ["x" * (i % 7)] * (i % 3) for i in n], pa.large_list(pa.large_string())),
            "items_with_holes": pa.array([None if i % 6 == 5 else [None if (i + j) % 3 == 0 else j * 0.5 for j in range(9)] for i in n], pa.list_(pa.float32(), 9)),
            "long_in_lists": pa.array([[("long %d " % i) * 60] * (i % 3) for i in n], pa.list_(pa.string())),
            "bytes_in_structs": pa.array([None if i % 9 == 8 else {"x": None if i % 5 == 4 else b"\0\1" * (i % 50)} for i in n], pa.struct([("x", pa.binary())])),
        }
    )


@pytest.mark.parametrize("version", ["2.1", "2.2"])
@pytest.mark.parametrize("page_bytes", [None, 4096])
@pytest.mark.parametrize("rows,with_nulls", [(1, False), (7, True), (300, True), (5000, False), (5000, True)])
def test_lancedb_reads_every_type(writer, rows, with_nulls, page_bytes, version):
    data = every_type(rows, with_nulls=with_nulls)
    writer.write("create", "types", data, version, page_bytes)
    table = writer.open("types")
    same_values(data, table.to_arrow())
    some = [i for i in [0, 3, rows // 2, rows - 1] if i < rows]
    ids = table.search().where(f"id IN ({','.join(map(str, some))})").limit(10).to_arrow()
    same_values(data.take(sorted(set(some))), ids.select(data.column_names))


@pytest.mark.parametrize("page_bytes", [None, 20000])
@pytest.mark.parametrize("rows", [1, 12, 1000, 20000])
def test_lancedb_reads_nested_columns(writer, rows, page_bytes):
    data = nested_types(rows)
    writer.write("create", "nested", data, page_bytes=page_bytes)
    same_values(data, writer.open("nested").to_arrow())


def test_lancedb_reads_values_of_any_length(writer):
    texts = ["", "x", "y" * 300, "z" * 40_000, "é" * 2_000_000, None, "w" * 257, "v" * 100_000_000]
    data = pa.table({"id": list(range(len(texts))), "text": texts, "bytes": [None if t is None else t.encode() for t in texts]})
    writer.write("create", "long", data)
    same_values(data, writer.open("long").to_arrow())


def test_lancedb_opens_an_empty_table_and_adds_to_it(writer):
    data = documents(0, 1).slice(0, 0)
    writer.write("create", "docs", data)
    table = writer.open("docs")
    assert table.count_rows() == 0
    table.add(documents(0, 3))
    assert table.count_rows() == 3
    writer.write("append", "docs", documents(3, 2))
    table.checkout_latest()
    assert sorted(table.to_arrow()["id"].to_pylist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_both_go_on_with_the_table(writer, version):
    writer.write("create", "docs", documents(0, 600), version)
    table = writer.open("docs")
    table.create_index(vector_column_name="vector", metric="l2", num_partitions=2, num_sub_vectors=4)
    table.create_scalar_index("id")
    table.delete("id % 10 = 3")
    table.add(documents(600, 100))
    writer.write("append", "docs", documents(700, 50))
    table.checkout_latest()
    alive = [i for i in range(750) if not (i < 600 and i % 10 == 3)]
    assert sorted(table.to_arrow()["id"].to_pylist()) == alive
    assert len(table.list_indices()) == 2
    query = documents(720, 1)["vector"][0].as_py()
    assert table.search(query).limit(1).to_list()[0]["id"] == 720
    assert table.count_rows("id >= 700") == 50
    table.update(where="id = 701", values={"text": "changed"})
    table.optimize()
    writer.write("append", "docs", documents(750, 50), repeats=2)
    table.checkout_latest()
    assert table.count_rows() == len(alive) + 100
    table.merge_insert("id").when_matched_update_all().execute(documents(10, 2))
    table.drop_columns(["price"])
    writer.write("append", "docs", documents(800, 5).drop_columns(["price"]))
    table.checkout_latest()
    assert table.count_rows() == len(alive) + 105
    writer.write("replace", "docs", documents(0, 4))
    table.checkout_latest()
    same_values(documents(0, 4), table.to_arrow())
    assert len(table.list_versions()) >= 10
    table.checkout(1)
    assert table.count_rows() == 600


@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_we_append_to_a_table_of_theirs(writer, version):
    lance = pytest.importorskip("lance")
    lance.write_dataset(every_type(200), f"{writer.folder}/theirs.lance", data_storage_version=version)
    table = writer.open("theirs")
    writer.write("append", "theirs", every_type(100, first=200), version)
    table.checkout_latest()
    assert table.count_rows() == 300
    table.optimize()
    same_values(every_type(100, first=200), table.search().where("id >= 200").limit(200).to_arrow())


@pytest.mark.parametrize("v2_names", [True, False])
def test_tables_keep_their_stable_row_ids_and_their_manifest_names(writer, v2_names):
    lance = pytest.importorskip("lance")
    path = f"{writer.folder}/theirs.lance"
    lance.write_dataset(documents(0, 20), path, data_storage_version="2.1", enable_stable_row_ids=True, enable_v2_manifest_paths=v2_names)
    writer.write("append", "theirs", documents(20, 10), repeats=1)
    names = os.listdir(f"{path}/_versions")
    assert sum(name.startswith("18446744") for name in names) == (2 if v2_names else 0), names
    dataset = lance.dataset(path)
    assert dataset.to_table(columns=["id"], with_row_id=True)["_rowid"].to_pylist() == list(range(30))
    lance.write_dataset(documents(30, 5), path, mode="append")
    dataset = lance.dataset(path)
    dataset.delete("id = 3")
    dataset.optimize.compact_files()
    rows = lance.dataset(path).to_table(columns=["id"], with_row_id=True)
    assert sorted(rows["_rowid"].to_pylist()) == sorted(rows["id"].to_pylist()) == [i for i in range(35) if i != 3]


def test_lancedb_rebases_its_changes_over_ours(writer):
    writer.write("create", "docs", documents(0, 100))
    stale = writer.open("docs")
    writer.write("append", "docs", documents(100, 10))
    stale.add(documents(200, 10))  # was decided on version 1
    other = lancedb.connect(writer.folder).open_table("docs")
    writer.write("append", "docs", documents(300, 10))
    other.delete("id = 5")
    final = sorted(lancedb.connect(writer.folder).open_table("docs").to_arrow()["id"].to_pylist())
    assert final == sorted([*(i for i in range(110) if i != 5), *range(200, 210), *range(300, 310)])
    assert np.all(np.diff(final) > 0)
