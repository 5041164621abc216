"""What each version of the catalogue added: for the operator who was shown an older one, and for the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.events import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES = {1: "0.1.0", 2: "0.1.0", 3: "0.1.0"}
"""The release of Rollcall that brought each version of the catalogue."""


@dataclass(frozen=True)
class Addition:
    """An event, or a field of events, and the version of the catalogue in which it is new."""

    path: tuple[str, ...]
    """Where it is in the event; empty for an event that is new as a whole."""
    carried_by: str
    meaning: str
    example: str | int
    since: int

    def __str__(self) -> str:
        if not self.path:
            return f"{self.carried_by}, sent when {self.meaning}"
        return f"{'.'.join(self.path)} in {self.carried_by}: {self.meaning}"

    def concerns(self, kind: catalogue.Kind) -> bool:
        """Whether an event of this kind may carry it."""
        scopes = [kind.name, catalogue.EVERY]
        if kind.name != catalogue.ACTIVE:
            scopes.append(catalogue.PRODUCT)
        if kind.about_installation:
            scopes.append(catalogue.RUN)
        return self.carried_by in scopes


def additions(shown: int) -> list[Addition]:
    """What is newer than this version of the catalogue."""
    return [one for one in _all() if one.since > shown]


def _all() -> Iterator[Addition]:
    for field in catalogue.FIELDS:
        yield Addition(field.path, field.carried_by, field.meaning, field.example, field.since)
    for kind in catalogue.CATALOGUE:
        yield Addition((), kind.name, kind.meaning, "", kind.since)
        for prop in kind.properties:
            since = max(prop.since, kind.since)
            yield Addition(("properties", prop.name), kind.name, prop.meaning, prop.example, since)
