"""Seeds of bundle_fuzz: small bundles, written here from the picture in src/store/bundle.h.

    python fuzz/make_bundle_seeds.py FOLDER
"""

import os
import struct
import sys

FOLDER = sys.argv[1]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def bundle(entries, version=1):
    """Of (key, offset, size of the object, modified, bytes)."""
    out = b"FIRNHEAD" + struct.pack("<II", version, len(entries))
    for key, offset, size, modified, data in entries:
        out += struct.pack("<QQqQH", offset, size, modified, len(data), len(key)) + key
    for *_, data in entries:
        out += bytes(-len(out) % 64) + data
    return out + struct.pack("<I", crc32c(out))


SEEDS = {
    "empty": bundle([]),
    "one": bundle([(b"k", 2, 7, 9, b"bytes")]),
    "manifest_and_tails": bundle(
        [
            (b"t.lance/_versions/18446744073709551614.manifest", 0, 5, 1_700_000_000 * 10**9, b"whole"),
            (b"t.lance/data/a.lance", 100, 200, 0, b"e" * 100),
            (b"t.lance/data/a.lance", 3, 200, 0, b"abc"),
            (b"t.lance/data/empty", 0, 0, 0, b""),
        ]
    ),
    "overlapping": bundle([(b"k", 0, 90, 0, b"a" * 50), (b"k", 40, 90, 0, b"b" * 50), (b"k", 45, 91, 1, b"cc")]),
    "version_2": bundle([(b"k", 0, 1, 0, b"x")], version=2),
    "past_the_end": bundle([(b"k", 1, 1, 0, b"x")]),
    "no_key": bundle([(b"../k", 0, 1, 0, b"x")]),
}
for name, data in SEEDS.items():
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)
