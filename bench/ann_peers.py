"""The engines beside Firn, each as a small class. Every one runs in a process of its own: ann_worker.py.

build() may use two threads; afterwards the process is pinned to one core and searches with one thread. `requests` prepares what a
caller would have at hand (an array, a list, a request object) before the clock runs; `search` answers one of them.
"""

import importlib.metadata
import pathlib

import numpy as np

EFS = [*range(10, 40, 2), *range(40, 60, 4), 60, 64, 68, 72, 76, 80, 85, 90, 95, 100, 106, 112, 120, 128, 136, 144, 152, 160, 170, 180, 190, 200, 212, 225, 240, 256, 288, 320, 360, 400, 512, 640, 800]
PROBES = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128]
THREADS = 2  # to build


def folder_bytes(folder):
    """What the files take on disk; holes in sparse files are not counted."""
    sizes = [file.stat() for file in pathlib.Path(folder).rglob("*") if file.is_file()]
    return sum(min(s.st_size, s.st_blocks * 512) for s in sizes)


class Engine:
    name = ""  # in tables
    package = ""  # whose version is printed
    parameters = ""  # of the build
    unit_vectors = False  # wants vectors of unit length where the metric is cosine
    environment = {}  # of the process

    def __init__(self, dim, metric, folder):
        self.dim, self.metric, self.folder = dim, metric, pathlib.Path(folder)

    @classmethod
    def version(cls):
        return importlib.metadata.version(cls.package)

    def build(self, vectors, columns):
        """vectors: n x d float32; columns: name -> (n,) values to filter by, for engines that filter."""
        raise NotImplementedError

    def sweeps(self):
        """Lists of settings, each list in the order of growing effort."""
        raise NotImplementedError

    def filtered_sweeps(self):
        """The same, for searches with a filter."""
        return self.sweeps()

    def requests(self, queries, setting, condition=None):
        """What `search` takes, one for each of the queries (q x d float32); condition: an ann_data.Filter."""
        return list(queries)

    def search(self, request, k):
        """The k nearest, in a form that `rows` understands."""
        raise NotImplementedError

    def rows(self, answer):
        """Row numbers of an answer."""
        return answer

    def bytes(self):
        """All that a search needs, as saved: codes, links, and the vectors where it reads them."""
        raise NotImplementedError

    def saved_bytes(self, save):
        """The size of the file that `save(path)` writes."""
        file = self.folder / "index.bin"
        save(str(file))
        size = file.stat().st_size
        file.unlink()
        return size


# ---- exact -----------------------------------------------------------------------------------------------------------------


class Numpy(Engine):
    name, package, parameters = "exact, numpy", "numpy", "one matrix-vector product a query"
    unit_vectors = True
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    rows_kept = None

    def build(self, vectors, columns):
        self.vectors = np.array(vectors)
        self.squares = np.einsum("ij,ij->i", self.vectors, self.vectors)

    def sweeps(self):
        return [[{}]]

    def requests(self, queries, setting, condition=None):
        self.rows_kept = None if condition is None else np.flatnonzero(condition.mask)
        return list(queries)

    def search(self, request, k):
        rows = self.rows_kept
        vectors, squares = (self.vectors, self.squares) if rows is None else (self.vectors[rows], self.squares[rows])
        distances = -(vectors @ request)
        if self.metric == "l2":
            distances = squares + 2 * distances
        nearest = np.argpartition(distances, k)[:k] if len(distances) > k else np.arange(len(distances))
        return nearest if rows is None else rows[nearest]

    def bytes(self):
        return self.vectors.nbytes


class Faiss(Engine):
    package, unit_vectors = "faiss-cpu", True

    def prepare(self):
        import faiss

        self.faiss = faiss
        faiss.omp_set_num_threads(THREADS)
        self.kind = faiss.METRIC_L2 if self.metric == "l2" else faiss.METRIC_INNER_PRODUCT

    def requests(self, queries, setting, condition=None):
        self.faiss.omp_set_num_threads(1)
        self.apply(setting)
        return [query[None] for query in queries]

    def apply(self, setting):
        pass

    def search(self, request, k):
        return self.index.search(request, k)[1][0]

    def bytes(self):
        return self.saved_bytes(lambda path: self.faiss.write_index(self.index, path))


class FaissFlat(Faiss):
    name, parameters = "exact, faiss", "IndexFlat"

    def build(self, vectors, columns):
        self.prepare()
        self.index = self.faiss.IndexFlat(self.dim, self.kind)
        self.index.add(vectors)

    def sweeps(self):
        return [[{}]]


class FaissHnsw(Faiss):
    name, parameters = "faiss HNSW32", "M 32, efConstruction 100"

    def build(self, vectors, columns):
        self.prepare()
        self.index = self.faiss.IndexHNSWFlat(self.dim, 32, self.kind)
        self.index.hnsw.efConstruction = 100
        self.index.add(vectors)

    def sweeps(self):
        return [[{"ef": ef} for ef in EFS]]

    def apply(self, setting):
        self.index.hnsw.efSearch = setting["ef"]


class FaissIvfPq(Faiss):
    name, parameters = "faiss IVF PQ fastscan", "IVF256, PQ of d/4 x 4 bit, fast scan, refine from f32"

    def build(self, vectors, columns):
        self.prepare()
        self.index = self.faiss.index_factory(self.dim, f"IVF256,PQ{self.dim // 4}x4fs,RFlat", self.kind)
        self.index.train(vectors)
        self.index.add(vectors)

    def sweeps(self):
        return [[{"nprobe": n, "refine": refine} for n in PROBES] for refine in (5, 10, 30)]

    def apply(self, setting):
        self.index.k_factor = setting["refine"]
        self.faiss.extract_index_ivf(self.index).nprobe = setting["nprobe"]


# ---- graphs ----------------------------------------------------------------------------------------------------------------


class Hnswlib(Engine):
    name, package, parameters = "hnswlib", "hnswlib", "M 16, ef_construction 200"

    def build(self, vectors, columns):
        import hnswlib

        self.index = hnswlib.Index({"l2": "l2", "cosine": "cosine", "dot": "ip"}[self.metric], self.dim)
        self.index.init_index(len(vectors), M=16, ef_construction=200)
        self.index.add_items(vectors, num_threads=THREADS)
        self.index.set_num_threads(1)

    def sweeps(self):
        return [[{"ef": ef} for ef in EFS]]

    def requests(self, queries, setting, condition=None):
        self.index.set_ef(setting["ef"])
        return list(queries)

    def search(self, request, k):
        return self.index.knn_query(request, k)[0][0]

    def bytes(self):
        return self.saved_bytes(self.index.save_index)


class Usearch(Engine):
    name, package, parameters = "usearch i8", "usearch", "i8, connectivity 16, expansion_add 128"
    unit_vectors = True

    def build(self, vectors, columns):
        from usearch.index import Index

        # Quantised here, to the data's own range: usearch's casts from f32 assume unit length.
        self.scale = np.float32(127 / np.abs(vectors).max())
        metric = {"l2": "l2sq", "cosine": "cos", "dot": "ip"}[self.metric]
        self.index = Index(ndim=self.dim, metric=metric, dtype="i8", connectivity=16, expansion_add=128)
        self.index.add(np.arange(len(vectors)), self.quantised(vectors), threads=THREADS)

    def quantised(self, vectors):
        return np.clip(np.rint(vectors * self.scale), -127, 127).astype(np.int8)

    def sweeps(self):
        return [[{"ef": ef} for ef in EFS]]

    def requests(self, queries, setting, condition=None):
        self.index.expansion_search = setting["ef"]
        return list(self.quantised(queries))

    def search(self, request, k):
        return self.index.search(request, k, threads=1)

    def rows(self, answer):
        return answer.keys

    def bytes(self):
        return self.saved_bytes(self.index.save)


class SymphonyQg(Engine):
    name, package, parameters = "SymphonyQG", "rabitqlib", "degree 32, ef_construction 200, raw vectors"
    unit_vectors, bits = True, 0

    def build(self, vectors, columns):
        import rabitqlib

        self.index = rabitqlib.SymqgIndex(self.dim, 32, "l2" if self.metric == "l2" else "ip", self.bits)
        self.index.build(vectors, 200, THREADS)

    def sweeps(self):
        return [[{"ef": ef} for ef in EFS]]

    def requests(self, queries, setting, condition=None):
        self.ef = setting["ef"]
        return [query[None] for query in queries]

    def search(self, request, k):
        return self.index.search(request, k, self.ef, 1)[0][0]

    def bytes(self):
        return self.saved_bytes(self.index.save)


class SymphonyQg8(SymphonyQg):
    name, parameters, bits = "SymphonyQG 8 bit", "degree 32, ef_construction 200, 8 bit instead of raw vectors", 8


class RabitqIvf(SymphonyQg):
    name, parameters = "rabitqlib ivf", "256 clusters, 1 bit codes and raw rerank"

    def build(self, vectors, columns):
        import rabitqlib

        clusters = rabitqlib.RaBitQKMeans(self.dim, 256, num_threads=THREADS)
        clusters.train(vectors)
        self.index = rabitqlib.IvfIndex(self.dim, len(vectors), 256, 32, "l2" if self.metric == "l2" else "ip")
        self.index.build(vectors, clusters.centroids, clusters.assignments, THREADS)

    def sweeps(self):
        return [[{"nprobe": n} for n in PROBES]]

    def requests(self, queries, setting, condition=None):
        self.nprobe = setting["nprobe"]
        return [query[None] for query in queries]

    def search(self, request, k):
        return self.index.search(request, k, self.nprobe)[0][0]


class RabitqHnsw(SymphonyQg):
    name, parameters = "rabitqlib hnsw 8 bit", "M 16, ef_construction 200, 16 clusters, 8 bit codes alone"

    def build(self, vectors, columns):
        import rabitqlib

        clusters = rabitqlib.RaBitQKMeans(self.dim, 16, num_threads=THREADS)
        clusters.train(vectors)
        self.index = rabitqlib.HnswIndex(self.dim, len(vectors), 16, 200, 8, "l2" if self.metric == "l2" else "ip")
        self.index.build(vectors, clusters.centroids, clusters.assignments, THREADS)


# ---- databases -------------------------------------------------------------------------------------------------------------


class QdrantEdge(Engine):
    name, package, parameters = "qdrant-edge HNSW", "qdrant-edge-py", "m 16, ef_construct 200, one segment, no WAL"

    def build(self, vectors, columns):
        import qdrant_edge as q

        self.q = q
        distance = {"l2": q.Distance.Euclid, "cosine": q.Distance.Cosine, "dot": q.Distance.Dot}[self.metric]
        self.shard = q.EdgeShard.create(
            str(self.folder / "shard"),
            q.EdgeConfig(
                vectors=q.EdgeVectorParams(size=self.dim, distance=distance),
                hnsw_config=q.HnswIndexConfig(16, 200, 10_000, max_indexing_threads=THREADS),
                optimizers=q.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1000),
                max_search_threads=1,
                wal_enabled=False,
            ),
        )
        names = list(columns)
        for name in names:
            kind = q.KeywordIndexParams() if columns[name].dtype.kind == "U" else q.IntegerIndexParams(lookup=True, range=True)
            self.shard.update(q.UpdateOperation.create_field_index(name, kind))
        for begin in range(0, len(vectors), 1000):
            part = range(begin, min(begin + 1000, len(vectors)))
            points = [q.Point(i, vectors[i], {name: columns[name][i].item() for name in names}) for i in part]
            self.shard.update(q.UpdateOperation.upsert_points(points))
        self.shard.optimize()
        self.shard.flush()

    def sweeps(self):
        return [[{"ef": ef} for ef in EFS]]

    def filtered_sweeps(self):
        return [[{"ef": ef} for ef in EFS if ef >= 64]]

    def requests(self, queries, setting, condition=None):
        q = self.q
        params = q.SearchParams(hnsw_ef=setting["ef"])
        return [
            q.SearchRequest(q.Query.Nearest(query.tolist()), 10, params=params, filter=self.filter(condition)) for query in queries
        ]

    def filter(self, condition):
        q = self.q
        if condition is None:
            return None
        if condition.op == "=":
            return q.Filter(must=[q.FieldCondition(condition.column, match=q.MatchValue(condition.value))])
        bound = {"<": "lt", "<=": "lte"}[condition.op]
        return q.Filter(must=[q.FieldCondition(condition.column, range=q.RangeFloat(**{bound: condition.value}))])

    def search(self, request, k):
        return self.shard.search(request)

    def rows(self, answer):
        return [point.id for point in answer]

    def bytes(self):
        return folder_bytes(self.folder)


class Zvec(Engine):
    name, package, parameters = "zvec HNSW", "zvec", "m 16, ef_construction 200, contiguous memory"

    def build(self, vectors, columns):
        import zvec

        self.zvec = zvec
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=THREADS)
        metric = {"l2": zvec.MetricType.L2, "cosine": zvec.MetricType.COSINE, "dot": zvec.MetricType.IP}[self.metric]
        index = zvec.HnswIndexParam(metric, m=16, ef_construction=200, use_contiguous_memory=True)
        schema = zvec.CollectionSchema(
            name="bench", vectors=zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32, self.dim, index_param=index)
        )
        path = str(self.folder / "collection")
        collection = zvec.create_and_open(path, schema)
        for begin in range(0, len(vectors), 1000):
            part = range(begin, min(begin + 1000, len(vectors)))
            collection.insert([zvec.Doc(id=str(i), vectors={"v": vectors[i]}) for i in part])
        collection.optimize(zvec.OptimizeOption(concurrency=THREADS))
        collection.close()
        self.collection = zvec.open(path, zvec.CollectionOption(read_only=True))

    def sweeps(self):
        return [[{"ef": ef} for ef in EFS]]

    def requests(self, queries, setting, condition=None):
        param = self.zvec.HnswQueryParam(ef=setting["ef"])
        return [self.zvec.Query("v", vector=query, param=param) for query in queries]

    def search(self, request, k):
        return self.collection.query_internal_ids(request, topk=k)

    def rows(self, answer):
        return [-1 if key is None else int(key) for key in self.collection.resolve_internal_ids(answer)]

    def bytes(self):
        return folder_bytes(self.folder)


class LanceDb(Engine):
    package = "lancedb"
    refine = ()  # factors to sweep
    probes = [2, 4, 8, 16, 32, 64]

    def build(self, vectors, columns):
        import lancedb
        import pyarrow as pa

        table = {
            "id": pa.array(np.arange(len(vectors)), pa.int32()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(vectors).reshape(-1)), self.dim),
        }
        table |= {name: pa.array(values) for name, values in columns.items()}
        self.table = lancedb.connect(str(self.folder)).create_table("bench", pa.table(table))
        self.table.create_index("vector", config=self.config())

    def config(self):
        raise NotImplementedError

    def sweeps(self):
        return [[{"nprobes": n, "refine": r} for n in self.probes] for r in self.refine]

    def requests(self, queries, setting, condition=None):
        def prepare(query):
            search = self.table.search(query).distance_type(self.metric).limit(10).select(["id", "_distance"])
            search = search.nprobes(setting["nprobes"]).refine_factor(setting["refine"])
            return search if condition is None else search.where(condition.sql, prefilter=True)

        return [prepare(query) for query in queries]

    def search(self, request, k):
        return request.to_arrow()

    def rows(self, answer):
        return answer["id"].to_pylist()

    def bytes(self):
        return folder_bytes(self.folder)


class LancePq(LanceDb):
    name, parameters = "LanceDB IVF_PQ", "256 partitions, d/8 sub-vectors of 8 bit"
    refine = (10, 30)

    def filtered_sweeps(self):
        return [[{"nprobes": 20, "refine": 10}]]

    def config(self):
        from lancedb.index import IvfPq

        return IvfPq(distance_type=self.metric, num_partitions=256, num_sub_vectors=self.dim // 8)


class LanceRq(LanceDb):
    name, parameters = "LanceDB IVF_RQ", "256 partitions, 1 bit"
    refine = (10, 30)

    def config(self):
        from lancedb.index import IvfRq

        return IvfRq(distance_type=self.metric, num_partitions=256)


class LanceHnsw(LanceDb):
    name, parameters = "LanceDB IVF_HNSW_SQ", "one partition, m 20, ef_construction 300"

    def config(self):
        from lancedb.index import HnswSq

        return HnswSq(distance_type=self.metric, num_partitions=1)

    def sweeps(self):
        return [[{"ef": ef, "refine": r} for ef in EFS[2::3] if ef >= 10 * r] for r in (1, 3)]

    def requests(self, queries, setting, condition=None):
        def prepare(query):
            search = self.table.search(query).distance_type(self.metric).limit(10).ef(setting["ef"]).select(["id", "_distance"])
            return search.refine_factor(setting["refine"]) if setting["refine"] > 1 else search

        return [prepare(query) for query in queries]


# By the name that --engines takes, in the order of the tables.
ENGINES = {
    "symphonyqg": SymphonyQg,
    "symphonyqg-8bit": SymphonyQg8,
    "rabitq-ivf": RabitqIvf,
    "rabitq-hnsw": RabitqHnsw,
    "hnswlib": Hnswlib,
    "faiss-hnsw": FaissHnsw,
    "faiss-ivf": FaissIvfPq,
    "usearch": Usearch,
    "qdrant-edge": QdrantEdge,
    "zvec": Zvec,
    "lancedb-pq": LancePq,
    "lancedb-rq": LanceRq,
    "lancedb-hnsw": LanceHnsw,
    "faiss-flat": FaissFlat,
    "numpy": Numpy,
}
