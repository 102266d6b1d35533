"""A client that a kept generator makes of our OpenAPI document, against a real server.

The generator and what it makes live in an environment of their own, as a user's do:
`make test` sets it up in the folder that DANSHI_GENERATOR names, by default beside ours.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.support import EXAMPLE, Process

pytestmark = pytest.mark.slow

GENERATOR = Path(os.environ.get("DANSHI_GENERATOR", Path(sys.prefix) / "generator")) / "bin"

SCRIPT = """
import json, sys
from danshi_client import Client
from danshi_client.api.classify import classify
from danshi_client.api.model import model
from danshi_client.api.other_servers_clients import predict
from danshi_client.models import ManyTexts, OneText, PredictRequest
from danshi_client.models import ItemError, Problem, Result, Results

client = Client(base_url=sys.argv[1])
text = sys.argv[2]

one = classify.sync(client=client, body=OneText(text=text))
assert isinstance(one, Result), one
assert one.clauses[1].connective.text == "但"
assert one.scores.mixed + one.scores.positive + one.scores.neutral + one.scores.negative > 0.99

many = classify.sync(client=client, body=ManyTexts(texts=[text, ""]))
assert isinstance(many, Results), many
assert isinstance(many.results[0], Result)
assert isinstance(many.results[1], ItemError)

wrong = classify.sync_detailed(client=client, body=OneText(text=" "))
assert wrong.status_code == 422
assert isinstance(wrong.parsed, Problem), wrong.parsed
assert "blank" in wrong.parsed.detail

assert model.sync(client=client).limits.max_texts > 1
assert predict.sync(client=client, body=PredictRequest(inputs=text))[0].label == one.label
print(json.dumps(one.to_dict(), ensure_ascii=False))
"""


@pytest.fixture(scope="module")
def generated(server: Process, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the generated package."""
    folder = tmp_path_factory.mktemp("generated") / "client"
    arguments = ["--url", f"{server.url}/openapi.json", "--output-path", str(folder)]
    done = subprocess.run(
        [GENERATOR / "openapi-python-client", "generate", *arguments],
        env={**os.environ, "PATH": f"{GENERATOR}:{os.environ['PATH']}"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    # A stream of lines is beyond it; everything else it must understand.
    assert said.count("WARNING") == said.count("Unsupported content type application/x-ndjson"), (
        said
    )
    return folder


def test_the_generated_client_understands_every_answer(generated: Path, server: Process) -> None:
    done = subprocess.run(
        [GENERATOR / "python", "-c", SCRIPT, server.url, EXAMPLE],
        cwd=generated,
        env={**os.environ, "PYTHONPATH": "", "NO_PROXY": "*"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    with server.client() as client:
        answer = client.post("/v1/classify", json={"text": EXAMPLE}).json()
    assert json.loads(done.stdout) == answer
