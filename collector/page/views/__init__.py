"""Each view of the page: a function from a request to what is shown."""

from __future__ import annotations

from collections.abc import Callable

from collector.page.view_types import ViewRequest, ViewResult
from collector.page.views import events, installs, instances, overview, support

View = Callable[[ViewRequest], ViewResult]
ViewOf = Callable[[ViewRequest, str], ViewResult]

# Those in the navigation, by path.
VIEWS: dict[str, View] = {
    "/": overview.show_overview,
    "/overview": overview.show_overview,
    "/installs": installs.show_installs,
    "/failure": installs.show_failure,
    "/instances": instances.show_instances,
    "/support": support.show_requests,
    "/events": events.show_events,
}
# Those of one thing, by what stands before its id.
VIEWS_OF: dict[str, ViewOf] = {"/run/": installs.show_run, "/instance/": instances.show_instance}
