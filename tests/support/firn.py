"""Runs the firn program on a database, and opens the same database with LanceDB."""

import io
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import pyarrow as pa

ROOT = pathlib.Path(__file__).resolve().parents[2]


class FirnError(AssertionError):
    def __init__(self, args, result):
        super().__init__(f"firn {' '.join(args)}: exit {result.returncode}\n{result.stderr}")
        self.exit_code = result.returncode
        self.stderr = result.stderr


class Firn:
    def __init__(self):
        self.path = os.environ.get("FIRN", str(ROOT / "build/release/firn"))
        assert os.access(self.path, os.X_OK), f"{self.path} is not there: run ./dev build first"

    def environment(self, extra=None):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FIRN_", "LANCEDB_", "LOG_LEVEL", "PORT"))}
        return kept | (extra or {})

    def run(self, *args, env=None, input=None, check=True, binary=False, timeout=300):
        result = subprocess.run(
            [self.path, *map(str, args)], env=self.environment(env), input=input, capture_output=True, timeout=timeout, text=not binary
        )
        if check and result.returncode != 0:
            if binary:
                result.stderr = result.stderr.decode(errors="replace")
            raise FirnError([str(a) for a in args], result)
        return result

    def start(self, *args, env=None, **options):
        return subprocess.Popen([self.path, *map(str, args)], env=self.environment(env), **options)


class Database:
    """One database, seen by firn and by LanceDB."""

    def __init__(self, uri, firn, s3=None):
        self.uri, self.firn, self.s3 = uri, firn, s3
        self.env = s3.environment() if s3 else {}

    def run(self, *args, **options):
        return self.firn.run(*args, "--db", self.uri, env=self.env, **options)

    def json(self, *args, **options):
        return json.loads(self.run(*args, "--json", **options).stdout)

    def fails(self, *args, **options):
        """The exit code and the error's words of a command that must fail."""
        result = self.run(*args, check=False, **options)
        assert result.returncode != 0, f"firn {args} succeeded: {result.stdout}"
        return result.returncode, result.stderr

    def load(self, table, data, *args):
        """Loads a pyarrow table, or rows as NDJSON."""
        if isinstance(data, pa.Table):
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, data.schema) as writer:
                writer.write_table(data)
            return self.run("load", table, "-", "--format", "arrow", *args, input=sink.getvalue(), binary=True)
        lines = "".join(json.dumps(row) + "\n" for row in data)
        return self.run("load", table, "-", "--format", "ndjson", *args, input=lines)

    def rows(self, table, *args):
        """All rows as a pyarrow table."""
        result = self.run("rows", table, "--format", "arrow", *args, binary=True)
        return pa.ipc.open_stream(result.stdout).read_all()

    def search(self, table, vector, *args):
        return self.json("search", table, "--vector", json.dumps([float(x) for x in vector]), *args)["results"]

    def storage_options(self):
        return self.s3.storage_options() if self.s3 else None

    def lancedb(self):
        import lancedb

        return lancedb.connect(self.uri, storage_options=self.storage_options())


class Server:
    """`firn serve` on a free port, until the with-block ends."""

    def __init__(self, database, *args, env=None):
        self.database, self.args, self.extra = database, args, env or {}

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would block the server
        self.process = self.database.firn.start(
            "serve", "--port", "0", "--db", self.database.uri, *self.args,
            env=self.database.env | self.extra, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        deadline = time.monotonic() + 20
        line = ""
        while time.monotonic() < deadline and "http://" not in line:
            line = self.process.stdout.readline()
            if not line and self.process.poll() is not None:
                self.log.seek(0)
                raise AssertionError("firn serve ended: " + self.log.read())
        self.url = re.search(r"http://[0-9.:a-z\[\]]+", line).group(0)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
