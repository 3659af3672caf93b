#!/usr/bin/env python3
"""Makes the seeds of data_file_fuzz with a real Lance (pylance): one small file of each kind, after its type's index."""

import decimal
import glob
import os
import random
import sys
import tempfile

import lance
import numpy as np
import pyarrow as pa

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "data_file")
random.seed(5)
rng = np.random.default_rng(5)


def holes(values, share=0.2):
    return [None if random.random() < share else value for value in values]


def text(words):
    return " ".join(random.choices(["alpha", "beta", "gamma", "delta", "epsilon"], k=words)) + str(random.randint(0, 999))


def vectors(count, size):
    return holes([rng.normal(size=size).tolist() for _ in range(count)])


def lists(count, item):
    return holes([[item() for _ in range(random.randint(0, 3))] for _ in range(count)])


def ab():
    return random.choice([None, {"a": 1, "b": "x"}, {"a": None, "b": text(1)}])


I32, F32 = pa.int32(), pa.float32()
AB = pa.struct([("a", pa.int32()), ("b", pa.string())])
PACKED = {"lance-encoding:packed": "true"}
FULL_ZIP = {"lance-encoding:structural-encoding": "fullzip"}
ZSTD = {"lance-encoding:compression": "zstd"}
LZ4 = {"lance-encoding:compression": "lz4"}

# (type index, name, array, metadata)
SEEDS = [
    (0, "bitpacked", pa.array(range(1100)), {}),
    (0, "holes", pa.array(holes(range(60))), {}),
    (0, "runs", pa.array(np.repeat(np.arange(8) << 40, 40)), {}),
    (0, "dictionary", pa.array(rng.choice([1 << 50, 1 << 51, 3], 300)), {}),
    (0, "constant", pa.array([7] * 20), {}),
    (0, "zipped", pa.array(holes(range(30))), FULL_ZIP),
    (1, "flat", pa.array(rng.integers(0, 255, 60).astype("uint8")), {}),
    (2, "null", pa.array([None] * 20, type=I32), {}),
    (3, "split", pa.array(np.sin(np.arange(300) / 9)), {**LZ4, "lance-encoding:bss": "on"}),
    (4, "bools", pa.array(holes([True, False] * 30)), {}),
    (5, "plain", pa.array(holes([text(1) for _ in range(30)])), {}),
    (5, "zstd", pa.array([text(2) for _ in range(60)]), ZSTD),
    (5, "few", pa.array(random.choices(["a", "bb", "ccc"], k=200)), {}),
    (5, "constant", pa.array(["hello"] * 30), {}),
    (5, "wide", pa.array(holes([text(60) for _ in range(6)])), {}),
    (5, "wide_plain", pa.array(holes([text(50) for _ in range(4)])), {"lance-encoding:compression": "none"}),
    (6, "large", pa.array(holes([text(1) for _ in range(30)]), type=pa.large_string()), {}),
    (7, "fixed", pa.array(holes([rng.bytes(7) for _ in range(30)]), type=pa.binary(7)), {}),
    (8, "decimal", pa.array(holes([decimal.Decimal(i) / 100 for i in range(30)]), type=pa.decimal128(20, 2)), {}),
    (9, "null", pa.nulls(10), {}),
    (10, "vectors", pa.array(vectors(20, 4), type=pa.list_(F32, 4)), {}),
    (11, "vectors", pa.array([rng.normal(size=96).tolist() for _ in range(5)], type=pa.list_(F32, 96)), {}),
    (11, "holes", pa.array(vectors(5, 96), type=pa.list_(F32, 96)), {}),
    (12, "bools", pa.array(holes([[True] * 9, [False] * 9] * 9), type=pa.list_(pa.bool_(), 9)), {}),
    (13, "grids", pa.array(holes([[[1.0, 2.0, 3.0], None]] * 20), type=pa.list_(pa.list_(F32, 3), 2)), {}),
    (14, "lists", pa.array(lists(60, lambda: random.choice([None, 5])), type=pa.list_(I32)), {}),
    (14, "long", pa.array([list(range(1500)), None, [1], list(range(700))], type=pa.list_(I32)), {}),
    (14, "empty", pa.array([[]] * 30, type=pa.list_(I32)), {}),
    (14, "null", pa.array([None, [], [None]] * 10, type=pa.list_(I32)), {}),
    (14, "zipped", pa.array(lists(30, lambda: random.choice([None, 5])), type=pa.list_(I32)), FULL_ZIP),
    (15, "words", pa.array(lists(30, lambda: text(1)), type=pa.list_(pa.string())), {}),
    (15, "wide", pa.array(lists(6, lambda: text(50)), type=pa.list_(pa.string())), {}),
    (16, "large", pa.array(lists(40, lambda: random.randint(0, 9)), type=pa.large_list(pa.int64())), {}),
    (17, "lists", pa.array(lists(40, lambda: random.choice([None, [], [1, None]])), type=pa.list_(pa.list_(I32))), {}),
    (18, "struct", pa.array([ab() for _ in range(40)], type=AB), {}),
    (19, "structs", pa.array(lists(40, ab), type=pa.list_(AB)), {}),
    (20, "list", pa.array(holes([{"l": random.choice([None, [], [1, None]])} for _ in range(40)]), type=pa.struct([("l", pa.list_(I32))])), {}),
    (21, "packed", pa.array([{"a": i, "b": i / 2} for i in range(30)], type=pa.struct([("a", I32), ("b", pa.float64())])), PACKED),
    (22, "packed", pa.array([{"a": i, "b": text(1)} for i in range(20)], type=AB), PACKED),
    (23, "vectors", pa.array(lists(5, lambda: rng.normal(size=96).tolist()), type=pa.list_(pa.list_(F32, 96))), {}),
]

# (seed, name of the damaged one, bytes that stand there once, what stands there instead)
DAMAGED = [
    # The sizes of the two buffers of a constant page, repetition and definition levels of 2 bytes each.
    ("14_null_2.1", "14_half_levels_2.1", b"\x12\x02\x3c\x3c", b"\x12\x02\x01\x01"),
]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(name, content):
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(content)


def main():
    os.makedirs(OUT, exist_ok=True)
    for version in ["2.1", "2.2"]:
        for index, name, array, metadata in SEEDS:
            if index == 22 and version == "2.1":
                continue
            field = pa.field("c", array.type, metadata=metadata or None)
            with tempfile.TemporaryDirectory() as scratch:
                root = os.path.join(scratch, "t.lance")
                lance.write_dataset(pa.table([array], schema=pa.schema([field])), root, data_storage_version=version)
                (data,) = glob.glob(root + "/data/*.lance")
                write(f"{index:02}_{name}_{version}", bytes([index]) + read(data))
    for seed, name, was, instead in DAMAGED:
        whole = read(os.path.join(OUT, seed))
        assert whole.count(was) == 1, f"{seed} is not what it was: look for its buffers' sizes again"
        write(name, whole.replace(was, instead))


sys.exit(main())
