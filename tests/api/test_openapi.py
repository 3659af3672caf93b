"""The server does what api/openapi.yaml says: schemathesis makes requests from the description and checks every answer."""

import os
import pathlib
import subprocess
import sys

from support.firn import Server
from support.tables import documents

SPEC = pathlib.Path(__file__).resolve().parents[2] / "api/openapi.yaml"


def test_every_answer_is_as_described(folder_db):
    folder_db.load("docs", documents(0, 20))
    with Server(folder_db) as server:
        schemathesis = os.path.join(os.path.dirname(sys.executable), "schemathesis")
        result = subprocess.run(
            # What a body means (a struct without members, two vectors of unlike length) no JSON schema can say, so a request
            # that fits the schema may still be refused.
            [schemathesis, "run", str(SPEC), "--url", server.url, "--max-examples", "15", "--seed", "1", "--request-timeout", "20",
             "--exclude-checks", "positive_data_acceptance"],
            capture_output=True, text=True, timeout=600, cwd=SPEC.parents[1],
            env=os.environ | {"SCHEMATHESIS_HOOKS": "api.schemathesis_hooks"},
        )
        assert result.returncode == 0, result.stdout[-6000:]
