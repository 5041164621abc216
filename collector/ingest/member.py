"""One of several processes that serve on one port: its number, and what it shares with the others."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from collector.base.shared import Account, SharedSums


@dataclass(frozen=True)
class Member:
    """A worker."""

    number: int
    meters: str
    """The folder in which the workers keep their meters."""
    paid: SharedSums
    """What clients have paid at each of them."""

    def account(self, payer: Hashable) -> Account:
        """What a client pays, here and at the others."""
        return self.paid.account(self.number, payer)
