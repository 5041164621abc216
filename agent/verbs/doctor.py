"""The verb `doctor`: what is set up, whether it works, and every connection that could ever be made.

It opens no connection while telemetry is off, and sends no event in any case.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent import __version__
from agent.app import COULD_NOT, DONE, App
from agent.base.messages import printable
from agent.base.owner import become_owner
from agent.config.access import Access, read_access
from agent.config.settings import SettingError
from agent.delivery.connections import CONNECTIONS
from agent.verbs.checks import (
    OK,
    WRONG,
    Finding,
    check_clock,
    check_decision,
    check_service,
    check_settings,
    check_state,
)
from agent.verbs.color import COLORS, paint

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

CLOCK_SECONDS = 300.0
"""A clock that differs more than this from the endpoint's is wrong."""
PROBE = "agent.delivery.probe"


def examine(app: App, args: argparse.Namespace) -> int:
    """Check everything, and list every connection. Exit code 1 if something is wrong."""
    try:
        findings = list(_findings(app))
        connections = _connections(app)
    except SettingError as why:
        findings, connections = [Finding("settings", WRONG, str(why))], []
    print(
        _as_json(findings, connections) if args.json else _as_text(findings, connections, app), file=app.out
    )
    return COULD_NOT if any(finding.state == WRONG for finding in findings) else DONE


def _findings(app: App) -> Iterator[Finding]:
    situation = app.situation
    yield Finding("version", OK, f"{situation.name} {__version__}, for {situation.settings.product}")
    for check in (check_settings, check_decision, check_clock, check_service):
        yield from check(app)
    asks = situation.standing_decision.sending and situation.settings.endpoint
    access = _access(app) if asks else None
    become_owner(situation.state, *([PROBE] if access else []))
    yield from check_state(app)
    if access:
        yield from _check_endpoint(app, access)
    elif not asks:
        yield Finding(
            "endpoint", OK, "not asked" if situation.settings.endpoint else "none: events wait here"
        )


def _access(app: App) -> Access | None:
    """What opens the way to the endpoint; None where that is wrong, which check_settings says."""
    try:
        return read_access(app.situation.settings)
    except SettingError:
        return None


def _check_endpoint(app: App, access: Access) -> Iterator[Finding]:
    from agent.delivery.probe import probe_endpoint

    endpoint = app.situation.settings.endpoint
    answer = probe_endpoint(endpoint, access, now=app.now)
    ahead = answer.clock_ahead
    for step in answer.steps:
        yield Finding(step.name, OK, step.says)
    if answer.fault:
        yield Finding("endpoint", WRONG, f"{endpoint}: {answer.fault}")
    else:
        yield Finding("endpoint", OK, f"{endpoint} answers as an endpoint does")
    if ahead is not None and abs(ahead) > CLOCK_SECONDS:
        way = "ahead of" if ahead > 0 else "behind"
        says = f"it is {abs(ahead):.0f} s {way} the endpoint's: set this machine's clock"
        yield Finding("clock", WRONG, says)


def _connections(app: App) -> list[dict[str, object]]:
    """The table of connections as it holds with these settings."""
    settings, access = app.situation.settings, _access(app) or Access()
    return [
        {
            "name": kind.name,
            "for": kind.purpose,
            "to": kind.target(settings, access) or None,
            "leaves": kind.leaves,
        }
        for kind in CONNECTIONS
    ]


def _as_json(findings: list[Finding], connections: list[dict[str, object]]) -> str:
    checks = [{"check": found.check, "state": found.state, "says": found.says} for found in findings]
    right = all(found.state == OK for found in findings)
    return json.dumps({"ok": right, "checks": checks, "connections": connections})


def _as_text(findings: list[Finding], connections: list[dict[str, object]], app: App) -> str:
    lines = []
    for found in findings:
        mark = paint(f"{found.state:<6}", COLORS["yes" if found.state == OK else "rejected"], app)
        lines.append(f"{mark} {found.check:<11} {printable(found.says)}")
    if connections:
        lines += ["", "every connection that could ever be made:"]
    for known in connections:
        where = "leaves" if known["leaves"] else "local"
        target = printable(str(known["to"])) if known["to"] else "never, with these settings"
        lines.append(f"{where:<6} {known['name']:<13} {target} ({known['for']})")
    return "\n".join(lines)
