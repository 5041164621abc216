"""Events with a story, as an agent sends them."""

from __future__ import annotations

from typing import Any

from collector.base.times import write_time
from tests.collector.page.client import NOW

INSTANCE = "11111111-1111-4111-8111-111111111111"
RUN = "22222222-2222-4222-8222-222222222222"
EMAIL = "ada@example.org"
HOUR = 3_600_000


def event(name: str, ago: int = HOUR, run: str = RUN, **properties: Any) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if name.startswith("Installation"):
        context = {
            "app": {"name": "Acme", "version": "1.2"},
            "os": {"name": "debian", "version": "12"},
            "installation": {"id": run},
        }
    return {
        "event": name,
        "anonymousId": INSTANCE,
        "timestamp": write_time(NOW - ago),
        "context": context,
        "properties": properties,
    }


def failed_run(run: str = RUN) -> list[dict[str, Any]]:
    """Started, failed at a line, asked for help."""
    place = {"reason": "exit", "exitCode": 127, "script": "install.sh", "line": 42, "command": "curl"}
    return [
        event("Installation Started", 2 * HOUR, run),
        event("Installation Errors", HOUR, run, durationSeconds=61.5, **place),
        event("Installation Support", HOUR - 1, run, email=EMAIL, reference=run[:8]),
    ]
