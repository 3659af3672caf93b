"""Rows of every type that both Firn and LanceDB store, from a fixed pattern."""

import datetime
import decimal

import numpy as np
import pyarrow as pa


def every_type(rows, first=0, with_nulls=True):
    """A pyarrow table: one column per type, `rows` rows, about a seventh of the values null."""

    def column(values, type_):
        if with_nulls:
            values = [None if (first + i + len(values)) % 7 == 3 else v for i, v in enumerate(values)]
        return pa.array(values, type_)

    n = range(first, first + rows)
    day = datetime.date(2020, 1, 1)
    noon = datetime.datetime(2021, 5, 4, 12, 30, 15, 123456)
    columns = {
        "id": pa.array(list(n), pa.int64()),
        "i8": column([i % 256 - 128 for i in n], pa.int8()),
        "i16": column([i * 7 % 65536 - 32768 for i in n], pa.int16()),
        "i32": column([i * 1_000_003 % 2**31 for i in n], pa.int32()),
        "i64": column([i * 10**14 - 5 for i in n], pa.int64()),
        "u8": column([i % 256 for i in n], pa.uint8()),
        "u16": column([i * 5 % 65536 for i in n], pa.uint16()),
        "u32": column([i * 99_991 % 2**32 for i in n], pa.uint32()),
        "u64": column([2**64 - 1 - i for i in n], pa.uint64()),
        "f16": column([np.float16(i / 8) for i in n], pa.float16()),
        "f32": column([float(np.float32(i / 3)) for i in n], pa.float32()),
        "f64": column([i / 7 for i in n], pa.float64()),
        "flag": column([i % 3 == 0 for i in n], pa.bool_()),
        "text": column([f"row {i} " + "é" * (i % 5) for i in n], pa.string()),
        "same": column(["constant" for _ in n], pa.string()),
        "long_text": column([f"{i} " * 200 for i in n], pa.string()),
        "large_text": column([f"large {i}" for i in n], pa.large_string()),
        "bytes": column([bytes([i % 256, 0, 255]) * (i % 4) for i in n], pa.binary()),
        "large_bytes": column([bytes([i % 251]) * (i % 40) for i in n], pa.large_binary()),
        "fixed_bytes": column([i.to_bytes(8, "little") for i in n], pa.binary(8)),
        "date32": column([day + datetime.timedelta(days=i) for i in n], pa.date32()),
        "date64": column([day + datetime.timedelta(days=i) for i in n], pa.date64()),
        "ts_us": column([noon + datetime.timedelta(seconds=i) for i in n], pa.timestamp("us")),
        "ts_ns": column([noon + datetime.timedelta(seconds=i) for i in n], pa.timestamp("ns")),
        "ts_utc": column([noon + datetime.timedelta(days=i) for i in n], pa.timestamp("ms", tz="UTC")),
        "time64": column([i * 1_000_000 % 86_400_000_000 for i in n], pa.time64("us")),
        "time32": column([i % 86_400 for i in n], pa.time32("s")),
        "duration": column([i * 1_000 for i in n], pa.duration("ms")),
        "decimal": column([decimal.Decimal(i) / 100 for i in n], pa.decimal128(12, 2)),
        "vector": pa.array([[i, i / 2, 1.0, -i] for i in n], pa.list_(pa.float32(), 4)),
        "vector_or_null": column([[i, i / 2, 1.0] for i in n], pa.list_(pa.float32(), 3)),
        "half_vector": column([[np.float16(i % 100), np.float16(0.5)] for i in n], pa.list_(pa.float16(), 2)),
        "byte_vector": column([[i % 256, 1, 2, 3] for i in n], pa.list_(pa.uint8(), 4)),
        "tags": column([[f"tag{j}" for j in range(i % 4)] for i in n], pa.list_(pa.string())),
        "numbers": column([list(range(i % 6)) for i in n], pa.list_(pa.int32())),
        "holes": column([[None if j == 1 else j for j in range(i % 4)] for i in n], pa.list_(pa.int64())),
        "point": column([{"x": float(i), "name": f"p{i}"} for i in n], pa.struct([("x", pa.float64()), ("name", pa.string())])),
        "nested": column(
            [{"a": {"b": i, "c": [str(i)] * (i % 3)}} for i in n],
            pa.struct([("a", pa.struct([("b", pa.int32()), ("c", pa.list_(pa.string()))]))]),
        ),
        "points": column(
            [[{"x": j, "y": None if j == 2 else str(j)} for j in range(i % 4)] for i in n],
            pa.list_(pa.struct([("x", pa.int32()), ("y", pa.string())])),
        ),
        "lists": column([[[j] * (j % 3) for j in range(i % 4)] for i in n], pa.list_(pa.list_(pa.int32()))),
        "empty": pa.array([None] * rows, pa.string()),
    }
    return pa.table(columns)


def documents(first, count, dim=16, seed=7):
    """A plain table to search: id, text, group, price, vector."""
    n = np.arange(first, first + count)
    vectors = np.stack([np.random.default_rng(seed + int(i)).standard_normal(dim) for i in n]).astype(np.float32) if count else np.zeros((0, dim), np.float32)
    return pa.table(
        {
            "id": pa.array(n, pa.int64()),
            "text": pa.array([f"document {i}" for i in n]),
            "group": pa.array([["red", "green", "blue"][i % 3] for i in n]),
            "price": pa.array([None if i % 11 == 0 else i * 0.5 for i in n], pa.float64()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dim),
        }
    )


def same_values(a, b):
    """Asserts that two tables have the same columns with the same values, whatever the chunking."""
    assert a.column_names == b.column_names
    assert a.num_rows == b.num_rows
    for name in a.column_names:
        left, right = a[name].combine_chunks(), b[name].combine_chunks()
        if left.type != right.type:
            right = right.cast(left.type)
        if left.to_pylist() != right.to_pylist():
            differing = [i for i, (x, y) in enumerate(zip(left.to_pylist(), right.to_pylist())) if x != y]
            i = differing[0]
            raise AssertionError(f"column {name}: {len(differing)} rows differ, first {i}: {left[i]} != {right[i]}")
