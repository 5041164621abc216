"""The scale of a chart: where it begins and ends, in four round steps."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

STEPS = 4
# Round numbers whose quarters are whole.
_NICE = (12, 16, 20, 24, 32, 40, 60, 80, 100)
_STEPS = (1, 2, 2.5, 3, 4, 5)
# A scale spans at least this share of its highest value, so that noise does not look like a cliff.
LEAST_SPAN = 0.1
# Where a scale of shares may begin.
_SHARES = (0.8, 0.6)


@dataclass(frozen=True)
class Scale:
    """From which value to which a chart reaches."""

    bottom: float
    top: float
    percent: bool = False

    def y(self, value: float) -> float:
        """How far below the top a value stands, from 0 to 100."""
        return 100 - 100 * (value - self.bottom) / (self.top - self.bottom)

    def text(self, value: float) -> str:
        """A value as a label."""
        if self.percent:
            return f"{100 * value:.1f}".removesuffix(".0") + " %"
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"

    @property
    def labels(self) -> tuple[str, ...]:
        """From the top to the bottom."""
        step = (self.top - self.bottom) / STEPS
        return tuple(self.text(round(self.top - n * step, 6)) for n in range(STEPS + 1))


def scale_from_zero(highest: float) -> Scale:
    """For bars, whose lengths are compared."""
    return Scale(0, nice_top(highest))


def scale_around(lowest: float, highest: float) -> Scale:
    """For lines: it shows the change. It begins at zero if the values come near it."""
    if highest <= 2 * STEPS or lowest <= highest / 2:
        return scale_from_zero(highest)
    power = 1.0
    while True:
        for step in (times * power for times in _STEPS if float(times * power).is_integer()):
            bottom = floor(lowest / step) * step
            if bottom + STEPS * step >= highest and STEPS * step >= LEAST_SPAN * highest:
                return Scale(bottom, bottom + STEPS * step) if bottom > 0 else scale_from_zero(highest)
        power *= 10


def scale_of_shares(lowest: float) -> Scale:
    """For shares: up to 100 %, from 0, 60 or 80 %."""
    return Scale(next((bottom for bottom in _SHARES if lowest >= bottom), 0.0), 1.0, percent=True)


def nice_top(highest: float) -> float:
    """The smallest round number that is not below the highest value and divides into four labels."""
    if highest <= 2 * STEPS:
        return float(STEPS if highest <= STEPS else 2 * STEPS)
    power = 10.0 ** max(len(str(int(highest))) - 2, 0)
    return next((step * power for step in _NICE if step * power >= highest), 120 * power)
