"""The images: what their builds take from the folder that they are built from."""

import re
import shutil
from pathlib import Path

from tests.install.scripts import INSTALL, environment, run

CONTAINERFILE = INSTALL.parent / "deploy/agent/Containerfile"
SHOWN = "sh -c 'printf %s \"$PYTHONPATH\"'"


def test_the_agents_image_takes_the_pip_of_its_own_lock(tmp_path: Path) -> None:
    """An archive for every Python has another one for Python 3.9."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    pips = {}
    for lock in (INSTALL / "packaging").glob("pip*.lock"):
        shutil.copy(lock, wheels)
        version = re.findall(r"^pip==(\S+)", lock.read_text(), re.MULTILINE)[0]
        pips[lock.name] = wheels / f"pip-{version}-py3-none-any.whl"
        pips[lock.name].touch()
    assert len(set(pips.values())) == len(pips) == len({"pip.lock", "pip-3.9.lock"})
    steps = (
        CONTAINERFILE.read_text().partition("\nRUN ")[2].partition("\n\n")[0].replace("\\\n", "").split(";")
    )
    install = next(step for step in steps if ' "$python" -m pip ' in step)
    choose = [step for step in steps if step.strip().startswith("pip=")]
    script = ";".join([*choose, install.replace('"$python" -m pip', SHOWN)])
    done = run("sh", "-euc", script.replace("/wheels", str(wheels)), environ=environment(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, str(pips["pip.lock"]), "")
