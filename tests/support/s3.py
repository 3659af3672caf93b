"""versitygw, an S3 server over a folder, on a free loopback port."""

import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCESS_KEY, SECRET_KEY = "testkey", "testsecret"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class S3Server:
    def __init__(self, folder):
        binary = os.environ.get("FIRN_VERSITYGW") or str(ROOT / "build/tools/versitygw")
        if not os.access(binary, os.X_OK):
            binary = shutil.which("versitygw")
        assert binary, "versitygw is not there: run ./dev deps test first"
        self.store = folder / "store"
        self.store.mkdir(parents=True)
        self.log = open(folder / "server.log", "w")
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [binary, "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--port", f"127.0.0.1:{self.port}", "--region", "us-east-1",
             "--health", "/_health", "--keep-alive", "posix", str(self.store)],
            stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(self.endpoint + "/_health", timeout=2).read()
                return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None and time.monotonic() < deadline, "versitygw did not start: " + self.log.name
                time.sleep(0.05)

    def new_bucket(self):
        # versitygw's buckets are folders of its store.
        name = "b" + uuid.uuid4().hex[:12]
        (self.store / name).mkdir()
        return name

    def environment(self, endpoint=None):
        return {
            "AWS_ENDPOINT": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def storage_options(self, endpoint=None):
        return {
            "aws_endpoint": endpoint or self.endpoint,
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
            "aws_region": "us-east-1",
            "allow_http": "true",
        }

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.log.close()
