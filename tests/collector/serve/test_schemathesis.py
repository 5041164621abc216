"""Requests made from /openapi.json, right and wrong ones: each answer is one that the document names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import environ
from tests.collector.page.stories import failed_run
from tests.collector.running import Collector
from tests.environments import environment

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
    "unsupported_method",
)
SECONDS = 240
VIEW = r"(?<!openapi)\.(json|csv)$"
SEALED = "bundle"
"""Of a sealed bundle no schema can say which bytes are right."""


@pytest.fixture(scope="session")
def schemathesis() -> Path:
    """The program, in an environment of its own: as a plugin of pytest it would join every run."""
    return environment("schemathesis").with_name("schemathesis")


def judge(collector: Collector, program: Path, *options: str, document: Path | None = None) -> str:
    """What it reports; it begins with how it ended."""
    base = f"http://127.0.0.1:{collector.port}"
    asked = [str(document), "--url", base] if document else [f"{base}/openapi.json"]
    done = subprocess.run(
        [str(program), "run", *asked, *options, "--seed", "1", "--continue-on-failure"],
        cwd=collector.home,
        env=environ.bare(collector.home),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS * 10,
    )
    return f"{'passed' if done.returncode == 0 else 'failed'}\n{done.stdout}\n{done.stderr}"


@pytest.mark.once
@pytest.mark.timeout(SECONDS * 10)
def test_every_answer_is_in_the_document(collector: Collector, schemathesis: Path, slow: bool) -> None:
    examples = ["--max-examples", "500" if slow else "10"]
    auth = ["--auth", f"{collector.key}:"]
    known = [*auth, "--checks", ",".join((*CHECKS, "positive_data_acceptance"))]
    said = judge(collector, schemathesis, *examples, *known, "--exclude-path-regex", f"{VIEW}|{SEALED}")
    assert said.startswith("passed"), said
    said = judge(
        collector,
        schemathesis,
        *examples,
        *auth,
        "--checks",
        ",".join(CHECKS),
        "--include-path-regex",
        SEALED,
    )
    assert said.startswith("passed"), said
    said = judge(
        collector, schemathesis, *examples, "--checks", ",".join(CHECKS), "--include-path-regex", "v1/"
    )
    assert said.startswith("passed"), said
    assert collector.get("/healthz").status == 200
    assert "Traceback" not in collector.stop()


@pytest.mark.once
@pytest.mark.timeout(SECONDS * 10)
@pytest.mark.parametrize("role", ["viewer", "support", ""])
def test_every_answer_of_a_view_is_in_the_document(
    collector: Collector, schemathesis: Path, slow: bool, role: str
) -> None:
    assert collector.post("/v1/batch", {"batch": failed_run()}).status == 200
    options = ["--max-examples", "200" if slow else "3", "--include-path-regex", VIEW]
    options += ["--checks", ",".join(CHECKS)]
    if role:
        token = collector.verb("tokens", "add", "schemathesis", "--role", role).stdout.strip()
        options += ["--header", f"Authorization: Bearer {token}"]
    said = judge(collector, schemathesis, *options)
    assert said.startswith("passed"), said
    assert "Traceback" not in collector.stop()


@pytest.mark.once
@pytest.mark.timeout(SECONDS * 10)
def test_an_answer_that_is_not_in_the_document_is_found(
    collector: Collector, schemathesis: Path, tmp_path: Path
) -> None:
    document = collector.get("/openapi.json").json()
    for path in document["paths"].values():
        path.get("post", {}).get("responses", {}).pop("401", None)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    options = ["--max-examples", "2", "--include-path", "/v1/track", "--checks", "status_code_conformance"]
    said = judge(collector, schemathesis, *options, document=tmp_path / "openapi.json")
    assert said.startswith("failed"), said
    assert "401" in said.partition("FAILURES")[2], said
