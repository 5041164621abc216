"""Each view of the page: a function from a look to what is shown."""

from __future__ import annotations

from collections.abc import Callable

from collector.page.look import Look, Shown
from collector.page.views import events, installs, instances, overview, support

View = Callable[[Look], Shown]
ViewOf = Callable[[Look, str], Shown]

# Those in the navigation, by path.
VIEWS: dict[str, View] = {
    "/": overview.show,
    "/overview": overview.show,
    "/installs": installs.show,
    "/failure": installs.show_failure,
    "/instances": instances.show,
    "/support": support.show,
    "/events": events.show,
}
# Those of one thing, by what stands before its id.
VIEWS_OF: dict[str, ViewOf] = {"/run/": installs.show_run, "/instance/": instances.show_one}
