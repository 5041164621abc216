"""Part of `beat`: the usage event that tells that the product's version has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.events import catalogue

if TYPE_CHECKING:
    from agent.app import App
    from agent.outbox.outbox import Outbox


def follow_version(app: App, outbox: Outbox, instance: str) -> None:
    """Record Instance Upgraded if the last heartbeat found another version.

    The version is remembered only while a change of it may be told: so a later yes tells nothing from before.
    """
    settings, origin = app.situation.settings, app.origin(instance)
    named = "ROLLCALL_PRODUCT_VERSION" in settings.sources  # the default is no version of the product
    shown = catalogue.kind(catalogue.UPGRADED).since <= origin.shown
    if not (named and shown and settings.usage):
        outbox.forget_version()
        return

    def upgrade_from(before: str) -> dict[str, object]:
        versions = {"from": before, "to": settings.product_version}
        return catalogue.build(catalogue.UPGRADED, versions, origin, timestamp=app.now())

    outbox.follow_version(settings.product_version, upgrade_from, settings.endpoint)
