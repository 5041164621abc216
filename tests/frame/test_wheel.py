"""What is shipped: the wheel, looked into."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import environ

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    source = tmp_path_factory.mktemp("source")
    for name in ("agent", "collector", "tests", "bench"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("man", "completions"):
        shutil.copytree(ROOT / "docs" / name, source / "docs" / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--wheel-dir", str(source / "dist"), str(source)],
        env=environ.bare(source, PIP_DISABLE_PIP_VERSION_CHECK="1"),
        check=True,
    )
    return zipfile.ZipFile(next((source / "dist").glob("rollcall_telemetry-*-py3-none-any.whl")))


def test_the_wheel_holds_both_packages_with_types_and_shell(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    scripts = {str(path.relative_to(ROOT)) for path in (ROOT / "agent").rglob("*.bash")}

    assert scripts
    assert {"agent/__init__.py", "agent/py.typed", *scripts} <= held
    assert {"collector/__init__.py", "collector/py.typed"} <= held
    assert {"collector/page/templates/overview.html", "collector/page/static/page.css"} <= held


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"agent", "collector"}


def test_the_wheel_holds_manual_pages_and_completions_in_their_places(
    wheel: zipfile.ZipFile,
) -> None:
    shared = {name.partition(".data/data/share/")[2] for name in wheel.namelist() if ".data/" in name}

    assert shared == {"man/man5/docker.env.5"} | {
        place.format(program)
        for program in ("rollcall", "rollcall-collector")
        for place in (
            "man/man1/{}.1",
            "bash-completion/completions/{}.bash",
            "zsh/site-functions/_{}",
            "fish/vendor_completions.d/{}.fish",
        )
    }


def test_the_wheel_says_its_licence_and_what_it_needs(wheel: zipfile.ZipFile) -> None:
    metadata = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    lines = wheel.read(metadata).decode().splitlines()

    assert "License-Expression: Apache-2.0" in lines
    assert "Requires-Python: >=3.9" in lines
    needed = {line.split()[1].split(">")[0] for line in lines if line.startswith("Requires-Dist")}
    assert {"requests", "schedule", "python-dotenv", "psutil"} <= needed
