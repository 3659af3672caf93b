"""What every end-to-end test uses: the firn program, an S3 server, and a database in a folder or a bucket."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.firn import Database, Firn  # noqa: E402
from support.s3 import S3Server  # noqa: E402


@pytest.fixture(scope="session")
def firn():
    return Firn()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture
def folder_db(tmp_path, firn):
    return Database(str(tmp_path / "db"), firn)


@pytest.fixture
def s3_db(s3_server, firn):
    return Database(f"s3://{s3_server.new_bucket()}/db", firn, s3_server)


@pytest.fixture(params=["folder", "s3"])
def db(request):
    return request.getfixturevalue(request.param + "_db")
