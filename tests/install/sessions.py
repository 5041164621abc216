"""The terminal sessions in docs/sessions: what a newcomer sees, recorded from real runs.

    python -m tests.install.sessions        # record them anew, as root or as an ordinary user
    python docs/record.py                   # then draw the picture of the demo anew

What differs from run to run (ports, ids, times, folders) is masked, so that a test can compare.
"""

import os
import pty
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.install import archive
from tests.install.scripts import AS_NOBODY, CHECKOUT, INSTALL, environment, home_of_nobody
from tests.leftovers import remove
from tests.parts import NOBODY
from tests.wait import until

DOCS = CHECKOUT / "docs/sessions"
TYPED = {b"Enter to skip": b"\n", b"ends the demo.\r\n\r\n": b"\x03"}
MASKS = {
    r"\x1b\[[0-9;]*m": "",
    r"token=[\w-]{43}": "token=SECRET",
    r"127\.0\.0\.1:\d+": "127.0.0.1:PORT",
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "0b5e7c1a-ID",
    r"instance [0-9a-f]{8}…": "instance 0b5e7c1a…",
    r"reference:? [0-9a-f]{8}": "reference 5d1f0a3c",
    r"\b[0-9a-f]{8}\b": "5d1f0a3c",
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?": "2026-11-20 12:00",
    r"in \d+ (h|m|min|s|hours|minutes|seconds)\b": r"in N \1",
    r"Python 3\.\d+\.\d+": "Python 3.11.2",
    r"on [a-z]+(?=$|,)": "on debian",
}


def masked(text: str, home: Path) -> str:
    text = text.replace("\r\n", "\n").replace(str(home), "~")
    for pattern, instead in MASKS.items():
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text.strip() + "\n"


def on_a_terminal(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> str:
    """What a person would see who skips every question, and leaves when told how."""
    ours, theirs = pty.openpty()
    words = [*(AS_NOBODY if os.geteuid() == 0 else []), "setsid", "--ctty", "--wait", *command]
    process = subprocess.Popen(
        words, env=dict(environ), cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen, rest = b"", b""
    while chunk := read(ours):
        seen, rest = seen + chunk, rest + chunk
        for asked, typed in TYPED.items():
            if asked in rest:
                rest = rest.partition(asked)[2]
                os.write(ours, typed)
    os.close(ours)
    process.wait()
    return seen.decode()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the last one who had it open is gone
        return b""


def fresh_clone() -> Path:
    """The files that a clone would have, belonging to an ordinary user."""
    place = Path(tempfile.mkdtemp(prefix="rollcall-clone-"))
    listed = subprocess.run(
        ["git", "-C", CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, place / name)
    if os.geteuid() == 0:
        for folder, _, files in os.walk(place):
            for path in [folder, *(os.path.join(folder, name) for name in files)]:
                os.chown(path, NOBODY, NOBODY)
    return place


def record_demo(clone: Path, home: Path) -> str:
    """`./install/install.sh --demo` in a fresh clone, with a bare environment."""
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    seen = on_a_terminal(["./install/install.sh", "--demo"], bare, clone)
    return "$ ./install/install.sh --demo\n" + masked(seen, home)


def record_failure(bundle: Path) -> dict[str, str]:
    """A vendor's installer that fails, and what `status` says then."""
    home = home_of_nobody()
    environ = environment(home, TERM="dumb")
    environ["PATH"] += f":{home}/.local/bin"  # as a login shell has it
    install = ["install.sh", "--user", "--product", "Acme Board", "--", "./install-acme.sh", "/proc/acme"]
    try:
        shutil.copy(INSTALL / "example/install-acme.sh", home)
        seen = on_a_terminal([str(bundle / "install/install.sh"), *install[1:]], environ, home)
        command = [str(home / ".local/bin/rollcall-acme-board"), "status"]
        status = until(partial(status_with_id, command, environ, home), why="the run is in the outbox")
    finally:
        remove(home)
    return {
        "failing-install": f"$ rollcall/install/{' '.join(install)}\n".replace("Acme Board", "'Acme Board'")
        + masked(seen, home),
        "status": "$ rollcall-acme-board status\n" + masked(status, home),
    }


def status_with_id(command: Sequence[str], environ: Mapping[str, str], home: Path) -> str:
    """What `status` says; nothing before the instance has its id, which it has from the first delivery."""
    seen = on_a_terminal(command, environ, home)
    return "" if "instance id   none yet" in seen else seen


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder, "rollcall.tar.gz")
        subprocess.run([str(INSTALL / "bundle"), *archive.here(), "--output", str(packed)], check=True)
        bundle = archive.unpacked(packed)
    clone, home = fresh_clone(), home_of_nobody()
    for name, text in {"demo": record_demo(clone, home), **record_failure(bundle)}.items():
        (DOCS / f"{name}.txt").write_text(text)
    for place in (bundle.parent, clone, home):
        remove(place)


if __name__ == "__main__":
    main()
