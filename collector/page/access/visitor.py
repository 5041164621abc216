"""Somebody who may see the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from collector.page.access.cookies import form_token


@dataclass(frozen=True)
class Visitor:
    """Who it is, and how they came in. Form tokens are made from `secret`, which is in their cookie."""

    name: str
    role: str
    by: Literal["session", "setup", "token", "proxy"]
    source: int | None = None  # the only one they may see; None for all
    secret: str = field(default="", repr=False)

    @property
    def may_help(self) -> bool:
        """Whether they may see requests for help."""
        return self.role in ("support", "admin")

    @property
    def may_manage(self) -> bool:
        """Whether they may change users, keys and tokens. The setup link only leads to the first user."""
        return self.role == "admin" and self.by != "setup"

    def may_see(self, source: int) -> bool:
        """Whether a source is shown to them."""
        return self.source is None or self.source == source

    @property
    def form_token(self) -> str:
        return form_token(self.secret)
