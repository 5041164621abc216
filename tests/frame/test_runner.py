"""What tests/run does before there is a pytest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.receiver import Receiver, answer
from tests.runner import environment, shell

ROOT = Path(__file__).resolve().parents[2]


def test_a_failed_download_is_tried_again_before_it_is_named_in_a_sentence(tmp_path: Path) -> None:
    with Receiver(script=[answer(503), answer(503)], then=answer(404)) as index:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        pip += ["--index-url", index.endpoint, "thing"]
        with pytest.raises(environment.SetupError, match=r"\(ERROR: No matching distribution .*thing\)"):
            environment.download(pip, tmp_path)
        assert [request.line for request in index.requests] == ["GET /thing/ HTTP/1.1"] * 3


def test_shell_is_found_by_suffix_or_first_line_and_not_in_testdata(tmp_path: Path) -> None:
    for name, text in {
        "a.sh": "true",
        "b.bash": "true",
        "install/run": "#!/bin/sh\n",
        "install/other": "#!/usr/bin/env bash\n",
        "program": "#!/usr/bin/python3\n",
        "notes": "no shell",
        "tests/testdata/broken.sh": "if",
        ".venv-3.11/bin/activate.sh": "true",
        ".ci/run": "#!/bin/bash\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    found = shell.scripts(tmp_path)

    assert found == [".ci/run", "a.sh", "b.bash", "install/other", "install/run"]


def test_an_old_python_is_told_how_to_get_a_new_one(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in ("dirname",):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")

    done = subprocess.run(
        ["/bin/sh", str(ROOT / "tests/run")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == ("tests/run: it needs Python 3.10 or newer: apt-get install python3 python3-venv\n")


def test_a_shim_that_only_complains_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = "{}.{}".format(*sys.version_info)
    shim = tmp_path / f"python{version}"
    shim.write_text("#!/bin/sh\necho 'not installed' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environment.working(version) is None

    shim.unlink()
    shim.symlink_to(os.path.realpath(sys.executable))
    assert environment.working(version) == str(shim)
