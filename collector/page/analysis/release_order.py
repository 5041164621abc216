"""Which version is the latest, and which is hardly one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from collector.base.versions import is_early, is_numbered, is_same_release, version_key

# With many runs, a version with a smaller share is an outlier if it has few runs or comes before a release.
FEW_RUNS, SMALL_SHARE, MANY_RUNS = 3, 0.01, 100


def in_release_order(versions: Iterable[str], odd: Collection[str] = ()) -> list[str]:
    """The latest release first; last those that are hardly one."""
    return sorted(versions, key=lambda one: (one not in odd, version_key(one), one), reverse=True)


def release_before(version: str, latest_first: Sequence[str]) -> str | None:
    """The release before a version in their order: not the same one in another spelling."""
    rest = latest_first[latest_first.index(version) + 1 :]
    return next((one for one in rest if not is_same_release(one, version)), None)


def outliers(runs: Mapping[str, int]) -> set[str]:
    """Versions that are hardly a release, by their runs: they have no number, or next to nobody has them."""
    total = sum(runs.values())
    return {
        version
        for version, n in runs.items()
        if not is_numbered(version)
        or (total >= MANY_RUNS and n < SMALL_SHARE * total and (n < FEW_RUNS or is_early(version)))
    }
