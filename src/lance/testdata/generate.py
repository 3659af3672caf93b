#!/usr/bin/env python3
"""Makes the golden data files of this folder with a real Lance.

    python3 generate.py FOLDER VERSION [GROUP...]    e.g. lance-14-2.2 2.2, with pylance 14 installed

writes FOLDER/{group}.manifest.zst and FOLDER/{group}.lance.zst (the only data file; both as ZSTD frames, to be small), and, where it
does not exist yet, expected/{group}.arrow: the same rows as an Arrow IPC file, which every version must give back.
"""

import decimal
import glob
import os
import random
import string
import sys
import tempfile

import lance
import numpy as np
import pyarrow as pa

HERE = os.path.dirname(os.path.abspath(__file__))
COMPRESSION = "lance-encoding:compression"
STRUCTURE = "lance-encoding:structural-encoding"

random.seed(7)
rng = np.random.default_rng(7)
words = ["".join(random.choices(string.ascii_lowercase, k=random.randint(3, 12))) for _ in range(200)]


def holes(values, share=0.2):
    return [None if random.random() < share else value for value in values]


def text(count):
    return " ".join(random.choices(words, k=count))


def numbers(kind, count):
    return np.frombuffer(rng.bytes(count * np.dtype(kind).itemsize), dtype=kind)


def vectors(rows, size, kind="float32"):
    return pa.FixedSizeListArray.from_arrays(pa.array(rng.normal(size=rows * size).astype(kind)), size)


def lists(rows, most, item, null_lists=True, empty=True):
    made = [[item() for _ in range(random.randint(0 if empty else 1, most))] for _ in range(rows)]
    return holes(made) if null_lists else made


class Group:
    def __init__(self):
        self.fields, self.arrays = [], []

    def add(self, name, array, nullable=True, **metadata):
        metadata = {key.replace("_", "-").replace("--", ":"): value for key, value in metadata.items()}
        self.fields.append(pa.field(name, array.type, nullable=nullable, metadata=metadata or None))
        self.arrays.append(array)

    def table(self):
        return pa.table(self.arrays, schema=pa.schema(self.fields))


def integers():
    g, n = Group(), 1100
    for kind in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]:
        g.add(kind + "_small", pa.array(rng.integers(0, 100, n).astype(kind)))
        g.add(kind + "_any", pa.array(holes(numbers(kind, n).tolist()), type=getattr(pa, kind)()))
    g.add("rising", pa.array(np.arange(n) * 3))
    g.add("negative", pa.array(-np.arange(n)))
    g.add("runs64", pa.array(np.repeat(np.arange(n // 50) * (1 << 40), 50)))
    g.add("runs32", pa.array(np.repeat(rng.integers(0, 1 << 30, n // 50), 50).astype("int32")))
    g.add("runs16", pa.array(holes(np.repeat(rng.integers(0, 1 << 14, n // 50), 50).astype("int16").tolist())))
    g.add("late", pa.array([None] * 1030 + list(range(n - 1030))))
    g.add("strict", pa.array(np.arange(n)), nullable=False)
    return g.table()


def scalars():
    g, n = Group(), 1030
    for kind in ["float16", "float32", "float64"]:
        g.add(kind, pa.array(rng.normal(size=n).astype(kind)))
    g.add("float64_holes", pa.array(holes(list(map(float, range(n))))))
    g.add("few_floats", pa.array(rng.choice([1.5, 2.5, 3.25], n).astype("float32")))
    g.add("bool", pa.array([random.random() < 0.5 for _ in range(n)]))
    g.add("bool_holes", pa.array(holes([random.random() < 0.5 for _ in range(n)])))
    g.add("date32", pa.array(rng.integers(0, 20000, n).astype("int32")).cast(pa.date32()))
    g.add("date64", pa.array(rng.integers(0, 20000, n) * 86400000).cast(pa.date64()))
    g.add("time32", pa.array(rng.integers(0, 80000, n).astype("int32")).cast(pa.time32("s")))
    g.add("time64", pa.array(holes(rng.integers(0, 80000, n).tolist()), type=pa.time64("ns")))
    g.add("timestamp", pa.array(rng.integers(0, 1 << 50, n)).cast(pa.timestamp("us", tz="UTC")))
    g.add("duration", pa.array(rng.integers(0, 1 << 40, n)).cast(pa.duration("ms")))
    amounts = [decimal.Decimal(random.randint(-(10**12), 10**12)) / 100 for _ in range(n)]
    g.add("decimal", pa.array(holes(amounts), type=pa.decimal128(20, 2)))
    g.add("bytes7", pa.array(holes([rng.bytes(7) for _ in range(n)]), type=pa.binary(7)))
    return g.table()


def strings():
    g, n = Group(), 1300
    g.add("short", pa.array(holes([text(2) for _ in range(n)])))
    g.add("large", pa.array([text(2) for _ in range(n)], type=pa.large_string()))
    g.add("few", pa.array(holes(random.choices(words[:60], k=n))))
    g.add("few_full", pa.array(random.choices(words[:10], k=n)))
    g.add("binary", pa.array(holes([rng.bytes(random.randint(0, 12)) for _ in range(n)])))
    g.add("large_binary", pa.array([rng.bytes(random.randint(0, 6)) for _ in range(n)], type=pa.large_binary()))
    g.add("dictionary", pa.array(holes(random.choices(words[:30], k=n))).dictionary_encode())
    g.add("empty", pa.array([""] * n))
    g.add("sparse", pa.array([None if i % 400 else text(2) for i in range(n)]))
    return g.table()


def wide():
    g, n = Group(), 24
    g.add("text", pa.array(holes([text(45) for _ in range(n)])))
    g.add("text_full", pa.array([text(45) for _ in range(n)]))
    g.add("large_text", pa.array(holes([text(45) for _ in range(n)]), type=pa.large_string()))
    g.add("huge", pa.array([text(5000) if i == 3 else (None if i % 7 == 0 else text(2)) for i in range(n)]))
    g.add("binary", pa.array(holes([rng.bytes(random.randint(0, 700)) for _ in range(n)])))
    g.add("texts", pa.array(lists(n, 3, lambda: None if random.random() < 0.2 else text(45)), type=pa.list_(pa.string())))
    g.add("bytes300", pa.array(holes([rng.bytes(300) for _ in range(n)]), type=pa.binary(300)))
    return g.table()


def vector():
    g, n = Group(), 20
    g.add("f32x96", vectors(n, 96))
    g.add("f16x192", vectors(n, 192, "float16"))
    g.add("f64x48", vectors(n, 48, "float64"))
    g.add("u8x16", pa.FixedSizeListArray.from_arrays(pa.array(rng.integers(0, 255, n * 16).astype("uint8")), 16))
    g.add("f32x4", vectors(n, 4))
    g.add("f32x4_holes", pa.array(holes([rng.normal(size=4).tolist() for _ in range(n)]), type=pa.list_(pa.float32(), 4)))
    g.add("f32x4_items", pa.array(holes([holes(rng.normal(size=4).tolist()) for _ in range(n)]), type=pa.list_(pa.float32(), 4)))
    g.add("f32x96_holes", pa.array(holes([rng.normal(size=96).tolist() for _ in range(n)]), type=pa.list_(pa.float32(), 96)))
    g.add("f32x96_items", pa.array(holes([holes(rng.normal(size=96).tolist()) for _ in range(n)]), type=pa.list_(pa.float32(), 96)))
    g.add("boolx9", pa.array(holes([holes([random.random() < 0.5 for _ in range(9)]) for _ in range(n)]), type=pa.list_(pa.bool_(), 9)))
    pairs = [holes([holes(rng.normal(size=3).tolist()) for _ in range(2)]) for _ in range(n)]
    g.add("f32x3x2", pa.array(holes(pairs), type=pa.list_(pa.list_(pa.float32(), 3), 2)))
    grids = [holes([holes(rng.normal(size=33).tolist()) for _ in range(3)]) for _ in range(n)]
    g.add("f32x33x3", pa.array(holes(grids), type=pa.list_(pa.list_(pa.float32(), 33), 3)))
    g.add("f32x96_strict", vectors(n, 96), nullable=False)
    return g.table()


def lists_group():
    g, n = Group(), 900
    small = lambda: random.randint(0, 99)
    maybe = lambda: None if random.random() < 0.2 else small()
    word = lambda: None if random.random() < 0.2 else random.choice(words)
    int_list = pa.list_(pa.int32())
    g.add("all", pa.array(lists(n, 6, maybe), type=int_list))
    g.add("full", pa.array(lists(n, 6, small, False, False), type=int_list))
    g.add("empties", pa.array(lists(n, 6, small, False), type=int_list))
    g.add("nulls", pa.array(lists(n, 6, small, True, False), type=int_list))
    g.add("large", pa.array(lists(n, 6, maybe), type=pa.large_list(pa.int64())))
    g.add("words", pa.array(lists(n, 4, word), type=pa.list_(pa.string())))
    g.add("sentences", pa.array(lists(n, 2, lambda: text(2)), type=pa.list_(pa.string())))
    g.add("vectors4", pa.array(lists(n, 2, lambda: rng.normal(size=4).tolist()), type=pa.list_(pa.list_(pa.float32(), 4))))
    g.add("lists", pa.array(lists(n, 3, lambda: None if random.random() < 0.2 else lists(1, 3, maybe)[0]), type=pa.list_(int_list)))
    g.add("bools", pa.array(lists(n, 5, lambda: random.random() < 0.5), type=pa.list_(pa.bool_())))
    g.add("only_null", pa.array([None] * n, type=int_list))
    g.add("only_empty", pa.array([[]] * n, type=int_list))
    g.add("long", pa.array([list(range(random.randint(2000, 5000))) if i % 300 == 7 else ([i] if i % 2 else None) for i in range(n)], type=int_list))
    return g.table()


def wide_lists():
    g, n = Group(), 24
    g.add("vectors", pa.array(lists(n, 2, lambda: None if random.random() < 0.2 else rng.normal(size=96).tolist()), type=pa.list_(pa.list_(pa.float32(), 96))))
    g.add("texts", pa.array(lists(n, 3, lambda: lists(1, 2, lambda: None if random.random() < 0.2 else text(50))[0]), type=pa.list_(pa.list_(pa.string()))))
    g.add("zipped", pa.array(lists(n, 5, lambda: random.choice([None, 1, 2])), type=pa.list_(pa.int32())), **{STRUCTURE: "fullzip"})
    return g.table()


def nested():
    g, n = Group(), 900
    ab = pa.struct([("a", pa.int32()), ("b", pa.string())])
    g.add("struct", pa.array(holes([{"a": i, "b": random.choice([None, "x%d" % i])} for i in range(n)]), type=ab))
    g.add("struct_full", pa.array([{"a": i, "b": "x%d" % i} for i in range(n)], type=ab))
    inner = pa.struct([("z", pa.int32())])
    g.add("deep", pa.array(holes([{"a": random.choice([None, {"z": i}]), "b": random.choice([None, i])} for i in range(n)]), type=pa.struct([("a", inner), ("b", pa.int64())])))
    g.add("list_of_struct", pa.array(lists(n, 3, lambda: random.choice([None, {"a": 1, "b": "q"}, {"a": None, "b": text(1)}])), type=pa.list_(ab)))
    lv = pa.struct([("l", pa.list_(pa.int32())), ("v", pa.list_(pa.float32(), 4))])
    g.add("struct_of_list", pa.array(holes([{"l": random.choice([None, [], [1], [1, None, 3]]), "v": random.choice([None, rng.normal(size=4).tolist()])} for _ in range(n)]), type=lv))
    la = pa.list_(pa.struct([("a", pa.list_(pa.int32())), ("c", pa.float64())]))
    g.add("list_struct_list", pa.array(lists(n, 3, lambda: random.choice([None, {"a": [], "c": 1.0}, {"a": None, "c": None}, {"a": [1, None], "c": 2.0}])), type=la))
    g.add("struct_null", pa.array(([None, {"z": None}, {"z": None}] * n)[:n], type=inner))
    return g.table()


def constants():
    g, n = Group(), 1100
    g.add("int", pa.array([7] * n))
    g.add("int_holes", pa.array(holes([7] * n)))
    g.add("float", pa.array([0.5] * n))
    g.add("half", pa.array(np.full(n, 1.5, "float16")))
    g.add("bool", pa.array([True] * n))
    g.add("text", pa.array(["hello"] * n))
    g.add("large_text", pa.array(["hello"] * n, type=pa.large_string()))
    g.add("text_holes", pa.array(holes(["hello there"] * n)))
    g.add("bytes", pa.array([b"abcdefg"] * n, type=pa.binary(7)))
    g.add("bytes40", pa.array([b"0123456789" * 4] * n, type=pa.binary(40)))
    g.add("decimal", pa.array([decimal.Decimal("1.25")] * n, type=pa.decimal128(10, 2)))
    g.add("null_int", pa.array([None] * n, type=pa.int64()))
    g.add("null_text", pa.array([None] * n, type=pa.string()))
    g.add("null_vector", pa.array([None] * n, type=pa.list_(pa.float32(), 4)))
    g.add("null", pa.nulls(n))
    g.add("list", pa.array(lists(n, 3, lambda: 7), type=pa.list_(pa.int64())))
    g.add("list_holes", pa.array(lists(n, 3, lambda: random.choice([7, None])), type=pa.list_(pa.int64())))
    g.add("list_text", pa.array(lists(n, 3, lambda: "xy"), type=pa.list_(pa.string())))
    return g.table()


def compressed():
    g, n = Group(), 1030
    g.add("zstd_text", pa.array(holes([text(2) for _ in range(n)])), **{COMPRESSION: "zstd"})
    g.add("lz4_text", pa.array([text(2) for _ in range(n)]), **{COMPRESSION: "lz4"})
    g.add("zstd_float", pa.array(np.sin(np.arange(n) / 100)), **{COMPRESSION: "zstd"})
    g.add("lz4_int", pa.array(rng.integers(0, 1 << 30, n)), **{COMPRESSION: "lz4"})
    g.add("split_float", pa.array(np.sin(np.arange(n) / 100).astype("float32")), **{COMPRESSION: "lz4", "lance-encoding:bss": "on"})
    g.add("split_double", pa.array(holes(np.sin(np.arange(n) / 100).tolist())), **{COMPRESSION: "zstd", "lance-encoding:bss": "on"})
    g.add("none_text", pa.array([text(2) for _ in range(n)]), **{COMPRESSION: "none"})
    g.add("fsst_text", pa.array([text(2) for _ in range(n)]), **{COMPRESSION: "fsst"})
    g.add("zipped_int", pa.array(holes(list(range(n)))), **{STRUCTURE: "fullzip"})
    packed = pa.struct([("a", pa.int32()), ("b", pa.float64())])
    g.add("packed", pa.array([{"a": i, "b": float(i)} for i in range(n)], type=packed), **{"lance-encoding:packed": "true"})
    return g.table()


def null_lists():
    """Lance 4 cannot read these back itself."""
    g, n = Group(), 900
    g.add("items", pa.array(([None, [], [None], None, [None, None]] * n)[:n], type=pa.list_(pa.int32())))
    g.add("structs", pa.array(([None, [], [{"z": None}], [None]] * n)[:n], type=pa.list_(pa.struct([("z", pa.int32())]))))
    return g.table()


def packed():
    """What older versions cannot write: packed structs with members of any length, zipped bools, large chunks."""
    g, n = Group(), 400
    named = pa.struct([("a", pa.int32()), ("s", pa.string()), ("v", pa.list_(pa.float32(), 3))])
    g.add("named", pa.array([{"a": i, "s": text(2), "v": [1.0, 2.0, float(i)]} for i in range(n)], type=named), **{"lance-encoding:packed": "true"})
    g.add("zipped_bool", pa.array(holes([True, False] * (n // 2))), **{STRUCTURE: "fullzip"})
    g.add("wide", pa.array([text(300) if i % 100 == 0 else text(2) for i in range(n)]), **{STRUCTURE: "miniblock"})
    return g.table()


GROUPS = {
    "integers": integers, "scalars": scalars, "strings": strings, "wide": wide, "vectors": vector, "lists": lists_group,
    "wide_lists": wide_lists, "nested": nested, "constants": constants, "compressed": compressed,
    "null_lists": null_lists, "packed": packed,
}  # fmt: skip


def main():
    folder, version = sys.argv[1], sys.argv[2]
    wanted = sys.argv[3:] or list(GROUPS)
    groups = {name: GROUPS[name] for name in wanted}
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    os.makedirs(os.path.join(HERE, "expected"), exist_ok=True)
    for name, make in groups.items():
        random.seed(name)
        global rng
        rng = np.random.default_rng(len(name))
        table = make()
        with tempfile.TemporaryDirectory() as scratch:
            root = os.path.join(scratch, "t.lance")
            lance.write_dataset(table, root, data_storage_version=version)
            assert lance.dataset(root).to_table().equals(table), name
            (manifest,) = glob.glob(root + "/_versions/*.manifest")
            (data,) = glob.glob(root + "/data/*.lance")
            for path, kind in [(manifest, ".manifest.zst"), (data, ".lance.zst")]:
                with open(path, "rb") as source, open(os.path.join(HERE, folder, name + kind), "wb") as out:
                    out.write(pa.Codec("zstd", compression_level=19).compress(source.read(), asbytes=True))
        # Dictionary columns come back as their values.
        plain = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema]
        table = table.cast(pa.schema(plain)).combine_chunks()
        expected = os.path.join(HERE, "expected", name + ".arrow")
        if not os.path.exists(expected):
            options = pa.ipc.IpcWriteOptions(compression="zstd")
            with pa.ipc.new_file(expected, table.schema, options=options) as out:
                out.write_table(table)
        else:
            assert pa.ipc.open_file(expected).read_all().equals(table), name


main()
