"""What strangers make up does not hide what is wrong with the true versions."""

from __future__ import annotations

from collector.alerts.limits import limits_of
from collector.alerts.rules import MOST_RUNS, Watch, failing_places, less_success
from collector.base.times import DAY_MS
from collector.store import Stores
from collector.store.schema import SEPARATOR
from tests.collector.alerts import planted

DAY = 3


def keep_installs(stores: Stores, first: int, version: str, succeed: int, fail: int) -> None:
    """Installs of a version, each failure at a place of its own."""
    for number in range(first, first + succeed + fail):
        place = ("install.sh", number) if number >= first + succeed else None
        keep_install(stores, number, version, place)


def keep_install(stores: Stores, number: int, version: str, place: tuple[str, int] | None) -> None:
    stores.events.keep(list(planted.install_of(DAY, number, version, place)))


def watch_of(stores: Stores) -> Watch:
    while stores.events.fold():
        pass
    limits = limits_of(stores.control, planted.PRODUCT)
    now = (planted.FIRST + DAY) * DAY_MS + 20 * planted.HOUR
    return Watch(stores, planted.PRODUCT, "product", limits, {}, now)


def test_made_up_versions_do_not_hide_a_bad_one(stores: Stores) -> None:
    keep_installs(stores, 0, "1.0", 38, 2)
    keep_installs(stores, 100, "1.1", 27, 0)
    assert not list(less_success(watch_of(stores)))
    keep_installs(stores, 200, "1.1", 0, 20)
    for number in (300, 301, 302):
        keep_install(stores, number, "1.1", ("new.sh", 7))
    for made_up in ("before", "after"):
        (worse,) = less_success(watch_of(stores))
        assert (worse.subject, worse.detail.endswith("With 1.0 it was 95%.")) == ("1.1", True), made_up
        (failing,) = failing_places(watch_of(stores))
        assert failing.title == "Installs fail at `new.sh:7`"
        assert failing.detail.endswith("Only 1.1 fails there."), made_up
        keep_installs(stores, 400, "99999", 12, 0)
        keep_installs(stores, 500, "1.0.9", 0, 12)


def test_a_version_that_could_become_a_link_is_not_named(stores: Stores) -> None:
    keep_installs(stores, 0, "visit evil.com", 40, 0)
    keep_installs(stores, 100, "1.evil.com", 0, 40)
    (worse,) = less_success(watch_of(stores))
    assert worse.title == "Installs of one version succeed less often"
    assert worse.detail.endswith("With an earlier version it was 100%.")


def test_no_text_gets_into_a_message_as_the_line_of_a_script(stores: Stores) -> None:
    """The name of a script may hold the sign that stands between script and line where places are stored."""
    text = "` <https://evil.example|mend it here> @channel `"
    for number in range(10):
        keep_install(stores, number, "1.0", (f"install.sh{SEPARATOR}{text}", 7))
    (failing,) = failing_places(watch_of(stores))
    assert failing.title == "Installs fail at `install.sh`"
    assert failing.path == "/installs?source=product"
    assert "evil" not in failing.detail


def test_a_version_is_not_alone_at_a_place_where_many_failed_after_another(stores: Stores) -> None:
    keep_installs(stores, 0, "1.0", 38, 0)
    keep_installs(stores, 50, "1.1", 38, 0)
    for number in range(100, 100 + MOST_RUNS + 10):
        keep_install(stores, number, "1.1", ("new.sh", 7))
    (failing,) = failing_places(watch_of(stores))
    assert failing.detail.endswith("Only 1.1 fails there.")
    stores.events.keep(list(planted.install_of(DAY - 1, 99, "1.0", ("new.sh", 7))))
    (failing,) = failing_places(watch_of(stores))
    assert failing.detail.endswith("instances in the last 7 days.")
