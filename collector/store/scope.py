"""Which environment the answers of a store are about: that of production, unless one asks for another.

Counters of runs have the environment in their kind, as in `ci version`; those of instances in the number that
says whether they are established. Production adds nothing to either. So what was counted before environments
were known counts as production.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from collector.base.environments import ALL, ENVIRONMENTS, PRODUCTION

if TYPE_CHECKING:
    from typing_extensions import Self

# The kind of the counter of all runs.
TOTAL = "all"


def kind_within(kind: str, environment: int) -> str:
    """The kind of a counter of runs in an environment."""
    return f"{ENVIRONMENTS[environment]} {kind}" if environment else kind


def environment_in(kind: str) -> int:
    """The environment in the kind of a counter of runs."""
    named, _, rest = kind.partition(" ")
    return ENVIRONMENTS.index(named) if rest else 0


def is_total(kind: str) -> bool:
    """Whether a kind counts all runs of an environment, so that it has no words."""
    return kind.endswith(TOTAL)


def standing_within(environment: int, *, established: bool) -> int:
    """The number that says where an instance counts, its standing; it is odd for established ones."""
    return 2 * environment + int(established)


class EnvironmentScope:
    """Counts and lists the instances and runs of one environment, or of all."""

    environment = PRODUCTION

    def within(self, environment: str) -> Self:
        """The same store, asked of another environment: one of ENVIRONMENTS, or ALL."""
        other = copy(self)
        other.environment = environment
        return other

    @property
    def _environments(self) -> range:
        """The numbers of the environments that count."""
        if self.environment == ALL:
            return range(len(ENVIRONMENTS))
        number = ENVIRONMENTS.index(self.environment)
        return range(number, number + 1)

    @property
    def _here(self) -> str:
        """The condition, in SQL, that an instance or a run is of the environment."""
        return "1 = 1" if self.environment == ALL else f"environment = {self._environments[0]}"

    def _kinds(self, kind: str) -> str:
        """The list, in SQL, of a kind of counters of runs."""
        return "({})".format(", ".join(f"'{kind_within(kind, number)}'" for number in self._environments))

    @property
    def _standings(self) -> str:
        """The list, in SQL, of the numbers of all instances, short-lived ones too."""
        first, last = self._environments[0], self._environments[-1]
        return "({})".format(", ".join(map(str, range(2 * first, 2 * last + 2))))
