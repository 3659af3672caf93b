"""What drives one engine each for the benchmark: peers as worker processes, Firn as its own programs."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
from ann_peers import ENGINES
from support.firn import Firn

ROOT = pathlib.Path(__file__).resolve().parents[1]
CORES = sorted(os.sched_getaffinity(0))
SEARCH_CORE = CORES[-1]
FIRST_LIMIT_S, LATER_LIMIT_S = 60, 3  # the most that one setting may take in the first and in later repeats
ANSWER_LIMIT_S = 3600


class EngineFailed(Exception):
    pass


def label(setting):
    return ", ".join(f"{name} {value}" for name, value in setting.items()) or "-"


def last_line(text):
    """What a program that failed said last, without the paths of the machine it was built or runs on."""
    line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
    return re.sub(r"[, ]*/[\w./-]+(:\d+)*", "", line)[:200]


class PeerRunner:
    """A peer in a worker process: built once, measured as often as asked."""

    def __init__(self, engine, data, folder):
        self.kind, self.data = ENGINES[engine], data
        self.folder = folder / data.name / engine
        self.title, self.package, self.parameters = self.kind.name, self.kind.package, self.kind.parameters
        self.chosen = {}  # filter's SQL -> the settings that the first repeat went through
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.log = open(self.folder / "log.txt", "w+")
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "bench/ann_worker.py", engine, data.metric, self.folder / "index"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1,
            env=os.environ | {"OMP_WAIT_POLICY": "passive"} | self.kind.environment,
        )  # fmt: skip

    def ask(self, command):
        timer = threading.Timer(ANSWER_LIMIT_S, self.process.kill)
        timer.start()
        try:
            print(json.dumps(command), file=self.process.stdin)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if not answer:
            raise EngineFailed(self._last_words())
        return json.loads(answer)

    def _last_words(self):
        code = self.process.wait(timeout=60)
        self.log.seek(0)
        return f"exit {code}: {last_line(self.log.read())}"

    def build(self, with_columns):
        columns = self.data.folder / "columns.npz" if with_columns else None
        return self.ask({"do": "build", "base": str(self.data.f32_file), "columns": columns and str(columns)})

    def measure(self, judge, condition, stop_recall):
        """Points (setting, recall, qps, p50_us, p99_us, ...). The first call finds where each sweep may stop; later calls repeat it."""
        key = condition.sql if condition else ""
        if key in self.chosen:
            return [self._point(setting, judge, condition, LATER_LIMIT_S) for setting in self.chosen[key]]
        points, self.chosen[key] = [], []
        engine = self.kind(0, self.data.metric, self.folder)
        for sweep in engine.filtered_sweeps() if condition else engine.sweeps():
            for setting in sweep:
                points.append(self._point(setting, judge, condition, FIRST_LIMIT_S))
                self.chosen[key].append(setting)
                if points[-1]["recall"] >= stop_recall:
                    break
        return points

    def _point(self, setting, judge, condition, limit_s):
        ids = self.folder / "ids.npy"
        result = self.ask({
            "do": "run", "queries": str(self.data.queries_file), "setting": setting, "ids": str(ids), "core": SEARCH_CORE,
            "limit_s": limit_s, "filter": condition and self._described(condition),
        })  # fmt: skip
        return result | {"setting": label(setting), "recall": judge.recall(np.load(ids))}

    def _described(self, condition):
        mask = self.folder / "mask.npy"
        np.save(mask, condition.mask)
        return {"name": condition.name, "column": condition.column, "op": condition.op, "value": condition.value, "mask": str(mask)}

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
        shutil.rmtree(self.folder / "index", ignore_errors=True)


class FirnTable:
    """A table with its index, made by `firn load` and `firn index`; what both of Firn's engines search."""

    def __init__(self, data, folder):
        self.data, self.firn = data, Firn()
        self.db, self.table = folder / data.name / "firn", "bench"
        self.made = None

    def make(self):
        """Build seconds, by `firn index`."""
        if self.made is None:
            shutil.rmtree(self.db, ignore_errors=True)
            base = self.data.base_file
            source = [self.data.rows_file, "--column", f"vector={base}"] if self.data.rows_file else [base]
            self._run("load", self.table, *source)
            answer = json.loads(self._run("index", self.table, "vector", "--metric", self.data.metric, "--json").stdout)
            self.made = answer["build_s"]
        return self.made

    def _run(self, *arguments):
        result = self.firn.run(*arguments, "--db", self.db, check=False, timeout=ANSWER_LIMIT_S)
        if result.returncode != 0:
            raise EngineFailed(f"firn {arguments[0]}: {last_line(result.stderr)}")
        return result

    def version(self):
        return self.firn.run("version").stdout.split()[1]


class FirnRunner:
    """Firn's `segment` or `graph` engine, measured by ann_bench in a process per repeat."""

    RECALLS = "0.85,0.88,0.9,0.905,0.91,0.915,0.92,0.9225,0.925,0.93,0.935,0.94,0.945,0.95,0.96,0.97,0.975,0.98,0.985,0.99,0.995"
    FILTERED_RECALLS = "0.95,0.97,0.98,0.99,0.995"

    def __init__(self, engine, table, program):
        self.engine, self.table, self.program = engine, table, program
        self.title, self.package, self.parameters = f"Firn {engine}", "firn", "as `firn index` chooses"
        self.ids = table.db.parent / f"ids-{engine}.npy"

    def build(self, with_columns):
        return {"build_s": self.table.make(), "version": self.table.version()}

    def measure(self, judge, condition, stop_recall):
        arguments = [
            self.program, "--db", self.table.db, "--table", self.table.table, "--column", "vector", "--k", "10", "--engine", self.engine,
            "--queries", self.table.data.queries_file, "--recall", self.FILTERED_RECALLS if condition else self.RECALLS,
            "--repeats", "1", "--ids", self.ids, *(["--filter", condition.sql] if condition else []),
        ]  # fmt: skip
        result = subprocess.run(
            list(map(str, arguments)), capture_output=True, text=True, timeout=ANSWER_LIMIT_S,
            preexec_fn=lambda: os.sched_setaffinity(0, {SEARCH_CORE}),
        )  # fmt: skip
        if result.returncode != 0:
            raise EngineFailed(f"ann_bench: exit {result.returncode}: {last_line(result.stderr)}")
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        return [line | {"recall": judge.recall(np.load(line["ids_file"]))} for line in lines]

    def close(self):
        pass
