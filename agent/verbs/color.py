"""Colors for a person at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.app import App

COLORS = {
    "waiting": "33",
    "sent": "32",
    "rejected": "31",
    "dropped": "31",
    "exported": "32",
    "deleted": "2",
    "yes": "32",
    "no": "33",
}


def paint(text: str, color: str, app: App) -> str:
    """The text in that color, unless it goes to a file or NO_COLOR is set."""
    plain = app.environ.get("NO_COLOR") or app.environ.get("TERM") == "dumb" or not app.out.isatty()
    return text if plain else f"\x1b[{color}m{text}\x1b[0m"
