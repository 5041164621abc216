"""The verb `prove`: shows on this machine that off is silent.

The work is done in agent/proving/, in a process of its own that leaves this machine's network. Here is what
it is given, and what it found. Everything that it makes is in one temporary folder, which is removed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent.config.envfile import system_file
from agent.config.flags import is_flag
from agent.config.settings import NAMES
from agent.proving.room import ALL_SECONDS, Evidence, Task
from agent.proving.sink import HOST
from agent.proving.steps import LEFT_OUT
from agent.proving.verdict import METERS, Verdict, judge

if TYPE_CHECKING:
    import argparse

    from agent.app import App

GRACE = 5.0
FLAG = "ROLLCALL_DISABLE_TELEMETRY"
KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""What a step gets of the caller's environment, beside what concerns Rollcall."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
FEED_KEY = "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""A public key in form: nothing that comes is ever verified with it."""
SUPPORT_KEY = '{"kty":"OKP","crv":"X25519","x":"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}'
"""Likewise: nothing that is sealed for it is ever opened. It is deleted with the rest."""


def show_proof(app: App, args: argparse.Namespace) -> int:
    """Run the proof, and say what it came to: 0 proven, 1 not, 5 this machine cannot."""
    evidence = _evidence(app)
    verdict = judge(evidence)
    print(_as_json(evidence, verdict) if args.json else _as_text(evidence, verdict), file=app.out)
    return verdict.code


def _evidence(app: App) -> Evidence:
    try:
        place = tempfile.mkdtemp(prefix="rollcall-prove-")
    except OSError:
        return Evidence(cannot="no temporary folder can be made; to name one: TMPDIR")
    try:
        return _run(_task(app, place))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _task(app: App, place: str) -> Task:
    for folder in ("home", "cwd"):
        os.makedirs(os.path.join(place, "instance", folder))
    edited = os.path.join(place, "instance/docker.env")
    with open(edited, "x", encoding="ascii"):
        pass
    situation = app.situation
    own = {
        "HOME": os.path.join(place, "instance/home"),
        "TMPDIR": os.path.join(place, "instance/home"),
        "ROLLCALL_STATE_DIR": os.path.join(place, "instance/state"),
        "ROLLCALL_INTERVAL": "1s",
        "ROLLCALL_FIRST_DELAY": "0s",
        "ROLLCALL_JITTER": "0s",
        "ROLLCALL_USAGE_TELEMETRY": "true",
    }
    kept = {name: app.environ[name] for name in KEPT if name in app.environ}
    path = app.environ.get("PATH", os.defpath)
    settings = situation.settings
    loud = {
        "ROLLCALL_PRODUCT": settings.product,
        "ROLLCALL_PRODUCT_VERSION": settings.product_version,
        "ROLLCALL_ENVIRONMENT": settings.environment,
        "ROLLCALL_WRITE_KEY": "prove",
        "ROLLCALL_UPDATES_URL": f"http://{HOST}/feed.json",
        "ROLLCALL_UPDATES_KEY": FEED_KEY,
        "ROLLCALL_SUPPORT_KEY": SUPPORT_KEY,
        "ROLLCALL_SUPPORT_LIST": os.path.join(place, "instance/support.list"),
    }
    covered = os.path.dirname(system_file(situation.name))
    silent = {**kept, **_theirs(app), **own, FLAG: "true"}
    return Task(place, silent, {**kept, **loud, **own}, path, edited, covered)


def _theirs(app: App) -> dict[str, str]:
    """The caller's settings, from wherever they come, with flags, proxies and all."""
    found = {}
    for file in reversed(app.situation.env_files):
        found.update({name: line.value for name, line in file.settings.items() if line.value})
    return found | {name: value for name, value in app.environ.items() if _concerns_us(name, value)}


def _concerns_us(name: str, value: str) -> bool:
    return name in NAMES or is_flag(name, value) or name.upper() in PROXIES or name == "CI"


def _run(task: Task) -> Evidence:
    command = [sys.executable, "-I", "-B", "-m", "agent.proving.room"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(asdict(task)),
            stdout=subprocess.PIPE,
            text=True,
            timeout=ALL_SECONDS + GRACE,
            check=True,
        )
    except subprocess.SubprocessError as why:
        return Evidence(cannot=f"the process that runs it failed: {type(why).__name__}")
    return Evidence(**json.loads(done.stdout))


def _as_json(evidence: Evidence, verdict: Verdict) -> str:
    return json.dumps({"code": verdict.code, "says": verdict.says, "notRun": LEFT_OUT, **asdict(evidence)})


def _as_text(evidence: Evidence, verdict: Verdict) -> str:
    lines = []
    if evidence.silent:
        head = "".join(f"{name:>12}" for name in METERS.values())
        lines += [f"{'silent | loud':<14}{head}", *_rows(evidence), ""]
        lines.append(f"run by {evidence.right} in an empty network namespace; not run: {', '.join(LEFT_OUT)}")
        lines += [f"not measured: {one}" for one in evidence.unmeasured]
    for step, calls in evidence.calls.items():
        lines += [f"{step}: {call}" for call in calls]
    return "\n".join([*lines, *verdict.says])


def _rows(evidence: Evidence) -> list[str]:
    rows = []
    for step, silent in evidence.silent.items():
        loud = evidence.loud.get(step, {})
        cells = (f"{_number(silent[meter])} | {_number(loud.get(meter))}" for meter in METERS)
        rows.append(f"{step:<14}" + "".join(f"{cell:>12}" for cell in cells))
    return rows


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
