"""The views of the page: each is a function from a ViewRequest to a ViewResult."""

from __future__ import annotations

from collections.abc import Callable

from collector.page.view_types import ViewRequest, ViewResult
from collector.page.views import (
    adoption,
    alerts,
    bundles,
    events,
    failure,
    find,
    installs,
    instances,
    overview,
    rejects,
    releases,
    since,
    steps,
    stuck,
    support,
    usage,
)

View = Callable[[ViewRequest], ViewResult]
ViewOf = Callable[[ViewRequest, str], ViewResult]

# Views by path.
VIEWS: dict[str, View] = {
    "/": overview.show_overview,
    "/overview": overview.show_overview,
    "/installs": installs.show_installs,
    "/failure": failure.show_failure,
    "/since": since.show_since,
    "/stuck": stuck.show_stuck,
    "/steps": steps.show_steps,
    "/adoption": adoption.show_adoption,
    "/usage": usage.show_usage,
    "/releases": releases.show_releases,
    "/instances": instances.show_instances,
    "/support": support.show_requests,
    "/bundles": bundles.show_bundles,
    "/find": find.show_found,
    "/events": events.show_events,
    "/rejects": rejects.show_rejects,
    "/alerts": alerts.show_alerts,
}
# Views of one run or instance, by the path before its id.
VIEWS_OF: dict[str, ViewOf] = {"/run/": installs.show_run, "/instance/": instances.show_instance}
