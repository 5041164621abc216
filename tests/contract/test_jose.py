"""Sealed bundles are JWE: other programs open ours, and we open theirs."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.bundle.collect import Piece
from agent.bundle.pack import make_tar
from agent.bundle.seal import Seal
from collector.admin.bundles import open_bundle
from tests.agent.bundle.test_seal import new_key
from tests.npm import installed
from tests.wait import PATIENCE

HERE = Path(__file__).parent / "jose"


def jose(turn: str, key: dict[str, str], data: str) -> dict[str, Any]:
    folder = installed("jose", HERE / "package.json")
    done = subprocess.run(
        ["node", str(HERE / "turn.mjs"), turn],
        cwd=folder,
        input=json.dumps({"key": key, "data": data}),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.needs("node")
@pytest.mark.once
def test_jose_of_node_opens_what_is_sealed_here() -> None:
    key, data = new_key(), os.urandom(1024 * 1024)
    sealed = Seal(key.export_public()).seal(data)
    answer = jose("open", json.loads(key.export_private()), sealed.decode())
    assert base64.b64decode(answer["data"]) == data
    assert (answer["header"]["alg"], answer["header"]["enc"]) == ("ECDH-ES+A256KW", "A256GCM")


@pytest.mark.needs("node")
@pytest.mark.once
def test_what_jose_of_node_sealed_is_opened_here(tmp_path: Path) -> None:
    key, text = new_key(), os.urandom(512 * 1024).hex()
    plain = make_tar([Piece("log", text)], "report", 0)
    answer = jose("seal", json.loads(key.export_public()), base64.b64encode(plain).decode())
    assert open_bundle(answer["data"], key.export_private(), str(tmp_path / "opened")) == [
        "REPORT.txt",
        "log",
    ]
    assert (tmp_path / "opened/log").read_text() == text
