"""What the wrapper costs: until CMD starts, in all, after CMD's end, silent, and at a terminal.

CMD is a program that prints the clock, so that the time until it starts is its own word.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import compare

ROOT = Path(__file__).parents[1]
START_GOAL, SILENT_GOAL, END_GOAL_MS, DOTENV_GOAL_MS, THROUGHPUT_GOAL = 2.5, 2.0, 15.0, 40.0, 0.95
BULK = "head -c 30000000 /dev/zero | tr '\\0' '\\n'"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench wrap")
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args(argv).rounds
    with tempfile.TemporaryDirectory() as place:
        python = install(Path(place))
        starts(python, Path(place), rounds)
        throughput(python, Path(place), max(3, rounds // 8))
    return 0


def install(place: Path) -> str:
    """A private environment as install.sh makes it: no pip in it, no .pth file."""
    venv.create(place / "venv", with_pip=False, symlinks=True)
    python = str(place / "venv/bin/python")
    folder = subprocess.run(
        [python, "-Ic", "import site; print(site.getsitepackages()[0])"], capture_output=True, check=True
    ).stdout.decode()
    site = Path(folder.strip())
    (site / "agent").symlink_to(ROOT / "agent")
    import dotenv

    (site / "dotenv").symlink_to(Path(dotenv.__file__).parent)
    launcher = (ROOT / "install/launcher.sh").read_text().replace("@NAME@", "rollcall")
    (place / "rollcall").write_text(launcher.replace("@PYTHON@", python))
    (place / "rollcall").chmod(0o755)
    (place / "env.d").mkdir()
    (place / "env.d/docker.env").write_text("DB_PASSWORD=x\nROLLCALL_PRODUCT=Thing\n")
    return python


def environment(place: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.defpath, "HOME": str(place), "ROLLCALL_STATE_DIR": str(place / "state"), **more}


def starts(python: str, place: Path, count: int) -> None:
    bare = [python, "-I", "-c", "pass"]
    wrap = [python, "-I", "-m", "agent", "wrap", "--no-input", "--"]
    launched = [str(place / "rollcall"), "wrap", "--no-input", "--"]
    loud, silent = environment(place), environment(place, DO_NOT_TRACK="1")
    dotenv = environment(place, ROLLCALL_ENV_FILE=str(place / "env.d/docker.env"))
    whole = {
        "python -I -c pass": ended(bare, loud),
        "true": ended(["/bin/true"], loud),
        "wrapped true": ended([*wrap, "/bin/true"], loud),
        "silent true": ended([*wrap, "/bin/true"], silent),
        "launched true": ended([*launched, "/bin/true"], loud),
        "launched, silent true": ended([*launched, "/bin/true"], silent),
    }
    show("whole time", whole, count, place)
    until = {
        "python -I -c pass": ended(bare, loud),
        "date": started([], loud),
        "wrapped date": started(wrap, loud),
        "wrapped date, docker.env": started(wrap, dotenv),
        "launched date": started(launched, loud),
        "launched date, docker.env": started(launched, dotenv),
        "launched, silent date": started(launched, silent),
    }
    print(f"goals: {START_GOAL} x, {SILENT_GOAL} x silent, {DOTENV_GOAL_MS:g} ms more with docker.env")
    show("until CMD starts", until, count, place)
    print(f"goal: {END_GOAL_MS:g} ms")
    show("after CMD's end", {"bare": after([], loud), "wrapped": after(wrap, loud)}, count, place, "bare")


def throughput(python: str, place: Path, count: int) -> None:
    """Lines to a terminal, through script(1)'s pseudo-terminal, bare and wrapped."""
    wrap = f"{python} -I -m agent wrap --no-input -- "
    both = {
        name: ended(["script", "-qec", f'{prefix}sh -c "{BULK}"', "/dev/null"], environment(place))
        for name, prefix in (("bare", ""), ("wrapped", wrap))
    }
    print(f"goal: at most {1 / THROUGHPUT_GOAL:.2f} x")
    show("30 MB to a terminal", both, count, place, "bare")


def show(
    title: str, contenders: dict[str, Callable[[], float]], count: int, place: Path, reference: str = ""
) -> None:
    alone = {name: after_senders(place, contender) for name, contender in contenders.items()}
    results = compare.rounds(count, alone)
    print(f"\n{title}, median of {count}")
    print(compare.table(results, reference=reference or next(iter(contenders)), unit="ms"))


def after_senders(place: Path, contender: Callable[[], float]) -> Callable[[], float]:
    """Begin once nothing runs any more of what earlier ones left in the background, such as a sender."""

    def run() -> float:
        while any(runs_in(place, process) for process in Path("/proc").glob("[0-9]*")):
            time.sleep(0.002)
        return contender()

    return run


def runs_in(place: Path, process: Path) -> bool:
    try:
        return os.fsencode(place) in (process / "cmdline").read_bytes()
    except OSError:  # it has ended
        return False


def ended(argv: list[str], env: dict[str, str]) -> Callable[[], float]:
    def run() -> None:
        subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    return compare.timed(run)


def started(prefix: list[str], env: dict[str, str]) -> Callable[[], float]:
    """Milliseconds from our start of it until CMD prints the time."""

    def run() -> float:
        before = time.time()
        argv = [*prefix, "/bin/date", "+%s.%N"]
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return (float(done.stdout) - before) * 1000

    return run


def after(prefix: list[str], env: dict[str, str]) -> Callable[[], float]:
    """Milliseconds from CMD's last act until its caller knows that it ended."""

    def run() -> float:
        argv = [*prefix, "/bin/date", "+%s.%N"]
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return (time.time() - float(done.stdout)) * 1000

    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
