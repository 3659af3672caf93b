"""Data sets for the vector benchmarks, their exact answers, and recall.

A data set is a folder of .npy files: base.npy (n x d, as stored: u8, f16 or f32), base.f32.npy (the same values for engines that
take f32 only), queries.f32.npy (q x d), truth.npy (q, the exact k-th distance), and filters/ where it has filters.
Distances everywhere are float64: squared for l2, 1 - cos for cosine, the negated product for dot; smaller is nearer.
"""

import gzip
import hashlib
import json
import pathlib
import shutil
from dataclasses import dataclass, field

import numpy as np

K = 10
QUERIES = 1000
TOLERANCE = 1e-6  # relative; engines round in f32. Integer data are compared exactly.


@dataclass
class Filter:
    """One condition on one column, as SQL and in parts."""

    name: str
    column: str
    op: str  # "=", "<" or "<="
    value: object
    mask: np.ndarray = None  # (n,) bool: the rows that pass

    @property
    def sql(self):
        value = f"'{self.value}'" if isinstance(self.value, str) else self.value
        return f"{self.column} {self.op} {value}"


@dataclass
class DataSet:
    name: str
    title: str
    metric: str  # l2, cosine, dot
    folder: pathlib.Path
    rows_file: pathlib.Path = None  # what Firn loads besides the vectors, or None
    columns: dict = field(default_factory=dict)  # column name -> (n,) values, for filters
    filters: list = field(default_factory=list)

    @property
    def base_file(self):
        return self.folder / "base.npy"

    @property
    def f32_file(self):
        return self.folder / "base.f32.npy"

    @property
    def queries_file(self):
        return self.folder / "queries.f32.npy"

    @property
    def base(self):
        """n x d float32, mapped."""
        return np.load(self.f32_file, mmap_mode="r")

    @property
    def queries(self):
        """q x d float32."""
        return np.load(self.queries_file)

    @property
    def integers(self):
        return np.load(self.base_file, mmap_mode="r").dtype.kind in "iu"


# ---- exact answers ---------------------------------------------------------------------------------------------------------


def distances(base, queries, ids, metric):
    """(q x m) float64 distances of the rows `ids` (q x m, -1 = none: infinite) from their queries (q x d)."""
    out = np.full(ids.shape, np.inf)
    for i, (query, row_ids) in enumerate(zip(queries.astype(np.float64), ids)):
        held = row_ids >= 0
        vectors = np.asarray(base[row_ids[held]], np.float64)
        if metric == "l2":
            out[i, held] = ((vectors - query) ** 2).sum(1)
        elif metric == "cosine":
            out[i, held] = 1 - vectors @ query / np.maximum(np.linalg.norm(vectors, axis=1) * np.linalg.norm(query), 1e-300)
        else:
            out[i, held] = -(vectors @ query)
    return out


def _rough_distances(base, queries, metric):
    """(q x n) float32, good to rounding: what picks the candidates that float64 then judges."""
    products = queries @ base.T
    if metric == "dot":
        return -products
    squares = np.einsum("ij,ij->i", base, base)
    if metric == "cosine":
        return -products / np.sqrt(np.maximum(squares, 1e-30))
    return squares - 2 * products


def exact_kth(base, queries, metric, k=K, mask=None, block_rows=100_000, spare=54):
    """(q,) float64: the distance of the k-th nearest row among those of `mask`; infinite where fewer than k pass."""
    rows = np.arange(len(base)) if mask is None else np.flatnonzero(mask)
    keep = k + spare
    best_ids = np.zeros((len(queries), 0), np.int64)
    best = np.zeros((len(queries), 0), np.float32)
    for begin in range(0, len(rows), block_rows):
        block = rows[begin : begin + block_rows]
        rough = _rough_distances(np.asarray(base[block], np.float32), queries, metric)
        part = np.argpartition(rough, min(keep, len(block)) - 1, axis=1)[:, :keep]
        best = np.concatenate([best, np.take_along_axis(rough, part, 1)], 1)
        best_ids = np.concatenate([best_ids, block[part]], 1)
    order = np.argsort(best, axis=1)[:, :keep]
    exact = np.sort(distances(base, queries, np.take_along_axis(best_ids, order, 1), metric), axis=1)
    return exact[:, k - 1] if exact.shape[1] >= k else np.full(len(queries), np.inf)


def recall(found, kth, k=K, matches=None, integers=False):
    """Mean recall@k of `found` (q x m float64 distances of distinct returned rows, infinite = none), ties counted as hits.

    `kth` (q,) is the exact k-th distance; `matches` is how many rows there are to find where that is below k.
    """
    limit = kth if integers else kth + TOLERANCE * np.maximum(1, np.abs(np.where(np.isfinite(kth), kth, 0)))
    hits = ((found <= limit[:, None]) & np.isfinite(found)).sum(1)
    wanted = k if matches is None else max(1, min(k, matches))
    return float(np.minimum(hits, wanted).mean() / wanted)


def without_repeats(ids):
    """The ids (q x m) with every second appearance in a row as -1, so that none counts twice."""
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, 1)
    repeated = np.zeros(ids.shape, bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
    return np.where(repeated, -1, ids)


class Judge:
    """Recall of answers to a data set's queries, the same way for every engine."""

    def __init__(self, data, condition=None, k=K):
        self.data, self.k = data, k
        self.mask = None if condition is None else condition.mask
        self.base, self.queries, self.integers = data.base, data.queries, data.integers
        self.matches = len(self.base) if self.mask is None else int(self.mask.sum())
        self.kth = self._kth(condition)

    def _kth(self, condition):
        name = "truth" if condition is None else "truth-" + hashlib.sha256(condition.sql.encode()).hexdigest()[:12]
        file = self.data.folder / f"{name}.k{self.k}.npy"
        if not file.exists():
            np.save(file, exact_kth(self.base, self.queries, self.data.metric, self.k, self.mask))
        return np.load(file)

    def recall(self, ids):
        """Recall@k of row numbers (q' x m, -1 = none) for the first q' queries."""
        ids = without_repeats(np.asarray(ids, np.int64)[:, : self.k])
        ids = np.where((ids >= 0) & (ids < len(self.base)), ids, -1)
        if self.mask is not None:
            ids = np.where((ids >= 0) & self.mask[ids], ids, -1)
        found = distances(self.base, self.queries[: len(ids)], ids, self.data.metric)
        return recall(found, self.kth[: len(ids)], self.k, self.matches, self.integers)


# ---- data sets -------------------------------------------------------------------------------------------------------------


def _fresh(folder, key):
    """Makes an empty folder unless it was made from the same `key`; returns whether the caller must fill it."""
    stamp = folder / "made-from.json"
    if stamp.exists() and json.loads(stamp.read_text()) == key:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return True


def _done(folder, key):
    (folder / "made-from.json").write_text(json.dumps(key))


def _file_key(*files):
    return [[pathlib.Path(f).name, pathlib.Path(f).stat().st_size, int(pathlib.Path(f).stat().st_mtime)] for f in files]


def _save_vectors(folder, base, queries):
    np.save(folder / "base.npy", base)
    if base.dtype == np.float32:
        (folder / "base.f32.npy").symlink_to("base.npy")
    else:
        np.save(folder / "base.f32.npy", base.astype(np.float32))
    np.save(folder / "queries.f32.npy", np.ascontiguousarray(queries, np.float32))


def _some_queries(queries):
    """At most QUERIES rows, evenly from a file that may be sorted."""
    rng = np.random.default_rng(5)
    return queries[np.sort(rng.choice(len(queries), min(QUERIES, len(queries)), replace=False))]


def fashion(cache, train, test, rows=None):
    """Fashion-MNIST from gzipped raw u8 rows of 784 pixels."""
    name = "fashion" if rows is None else f"fashion-{rows}"
    folder, key = cache / name, [_file_key(train, test), rows, 1]
    if _fresh(folder, key):
        pixels = [np.frombuffer(gzip.decompress(pathlib.Path(f).read_bytes()), np.uint8).reshape(-1, 784) for f in (train, test)]
        base = pixels[0] if rows is None else pixels[0][:: len(pixels[0]) // rows][:rows]
        _save_vectors(folder, base, _some_queries(pixels[1]))
        _done(folder, key)
    return DataSet(name, "Fashion-MNIST", "l2", folder)


def read_jsonl(file):
    with gzip.open(file, "rt") as lines:
        return [json.loads(line) for line in lines]


# Shares of the Debian table: 90, 50, 10.6, 3.0, 1.0, .3 and .1 %; sections are correlated with the vectors, r is not.
DEBIAN_FILTERS = [
    ("kib <= 6336", "installed_kib", "<=", 6336), ("kib <= 230", "installed_kib", "<=", 230),
    *((name, "section", "=", name) for name in ("libs", "golang", "fonts", "electronics", "gnustep")),
    *((f"random r < {n}", "r", "<", n) for n in (500, 100, 10, 1)),
]  # fmt: skip


def debian(cache, source, rows=None):
    """Debian packages: vectors of their summaries, and columns to filter by; r is uniform in [0, 1000)."""
    source = pathlib.Path(source)
    files = [source / name for name in ("packages.f16.npy", "queries.f16.npy", "packages.jsonl.gz")]
    name = "debian" if rows is None else f"debian-{rows}"
    folder, key = cache / name, [_file_key(*files), rows, 2]
    if _fresh(folder, key):
        base = np.load(files[0])
        step = 1 if rows is None else len(base) // rows
        _save_vectors(folder, base[::step][:rows], _some_queries(np.load(files[1])))
        packages = read_jsonl(files[2])[::step][:rows]
        random = np.random.default_rng(7).integers(0, 1000, len(packages))
        with gzip.open(folder / "rows.jsonl.gz", "wt", compresslevel=1) as out:
            for i, (package, r) in enumerate(zip(packages, random)):
                out.write(json.dumps(package | {"id": i, "r": int(r)}) + "\n")
        np.savez(
            folder / "columns.npz", r=random, section=np.array([p["section"] for p in packages]),
            installed_kib=np.array([p["installed_kib"] for p in packages]),
        )  # fmt: skip
        _done(folder, key)
    data = DataSet(name, "Debian packages", "cosine", folder, folder / "rows.jsonl.gz")
    data.columns = dict(np.load(folder / "columns.npz"))
    for label, column, op, value in DEBIAN_FILTERS:
        values = data.columns[column]
        mask = {"=": values == value, "<": values < value, "<=": values <= value}[op] if not isinstance(value, str) else values == value
        data.filters.append(Filter(label, column, op, value, mask))
    return data


class Mixture:
    """Vectors like embeddings: a mixture of clusters over a shared dictionary of features.

    512 features are random directions of d dimensions. A cluster's center mixes all of them, with a spectrum that falls like
    f**-0.5, to a length of 1.8. A vector is its cluster's center, plus Gaussian amounts of the 16 features that its cluster
    varies in (their spread falls from 1 to 0.2, a length of 2.6 together), plus white noise of length 0.8: clusters overlap.
    Their shares follow a power law (rank**-0.6), so sizes differ 60-fold. Chosen so that an inverted file of 256 lists must probe
    about as many of them as for the Debian vectors: .57 of the neighbours are in the nearest list, .93 in the 32 nearest.
    """

    FEATURES, VARYING, CENTER_LENGTH, NOISE_LENGTH = 512, 16, 1.8, 0.8

    def __init__(self, dim, centers=1000, seed=11):
        rng = np.random.default_rng(seed)
        self.dim, self.seed = dim, seed
        self.features = rng.standard_normal((self.FEATURES, dim), dtype=np.float32) / np.float32(np.sqrt(dim))
        spectrum = np.arange(1, self.FEATURES + 1, dtype=np.float32) ** -0.5
        amounts = rng.standard_normal((centers, self.FEATURES), dtype=np.float32) * spectrum
        self.centers = (amounts / np.linalg.norm(amounts, axis=1, keepdims=True) * self.CENTER_LENGTH) @ self.features
        self.varying = np.stack([rng.choice(self.FEATURES, self.VARYING, replace=False) for _ in range(centers)])
        self.spread = np.linspace(1, 0.2, self.VARYING, dtype=np.float32)
        shares = np.arange(1, centers + 1) ** -0.6
        self.shares = rng.permutation(shares / shares.sum())

    def block(self, stream, number, rows):
        """rows x d float32; the same for the same (stream, number, rows)."""
        rng = np.random.default_rng([self.seed, stream, number])
        labels = rng.choice(len(self.centers), rows, p=self.shares)
        amounts = np.zeros((rows, self.FEATURES), np.float32)
        amounts[np.arange(rows)[:, None], self.varying[labels]] = rng.standard_normal((rows, self.VARYING), dtype=np.float32) * self.spread
        noise = rng.standard_normal((rows, self.dim), dtype=np.float32) * np.float32(self.NOISE_LENGTH / np.sqrt(self.dim))
        return self.centers[labels] + amounts @ self.features + noise


def mixture(cache, rows, dim=768, block_rows=10_000):
    """`rows` x 768 float32 from `Mixture`, streamed to disk block by block, and queries from the same mixture."""
    size = f"{rows // 1_000_000}m" if rows % 1_000_000 == 0 else f"{rows // 1000}k"
    name = f"mixture-{size}"
    folder, key = cache / name, [rows, dim, 2]
    if _fresh(folder, key):
        source = Mixture(dim)
        out = np.lib.format.open_memmap(folder / "base.npy", "w+", np.float32, (rows, dim))
        for begin in range(0, rows, block_rows):
            out[begin : begin + block_rows] = source.block(0, begin // block_rows, min(block_rows, rows - begin))
        out.flush()
        (folder / "base.f32.npy").symlink_to("base.npy")
        np.save(folder / "queries.f32.npy", source.block(1, 0, QUERIES))
        _done(folder, key)
    return DataSet(name, f"Mixture {rows:,} x {dim}", "l2", folder)


def from_files(cache, base_file, queries_file, metric):
    """Anyone's vectors: two .npy files of rows, u8, i8, f16, f32 or f64."""
    name = "npy-" + pathlib.Path(base_file).name.removesuffix(".npy")
    folder, key = cache / name, [_file_key(base_file, queries_file), metric, 1]
    if _fresh(folder, key):
        base, queries = np.load(base_file, mmap_mode="r"), np.load(queries_file)
        if base.ndim != 2 or queries.ndim != 2 or base.shape[1] != queries.shape[1]:
            raise SystemExit(f"{base_file} is {base.shape} and {queries_file} is {queries.shape}: both must be rows x the same dimension")
        _save_vectors(folder, np.asarray(base, np.float32) if base.dtype == np.float64 else base, _some_queries(queries))
        _done(folder, key)
    return DataSet(name, pathlib.Path(base_file).name, metric, folder)
