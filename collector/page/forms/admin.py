"""Administration: all that an admin manages on one page."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from collector.admin import AdminError, audit, keys, member_records, tokens, users
from collector.alerts.channels import Channel, ChannelError, read_channels
from collector.base.http import Answer
from collector.base.keep import Keep
from collector.page.access.visitor import Visitor
from collector.page.forms.admin_actions import find_action
from collector.page.forms.form_types import FormRequest, sentence
from collector.page.frame import redirect
from collector.page.queries.sources import Source, SourceList
from collector.page.request import PageError
from collector.public.numbers import public_sources
from collector.releases.feed import Feed
from collector.releases.published import published_feed, trusted_keys
from collector.store import ControlStore
from collector.store.values import Expired

LATEST = 50
DAY_SECONDS = 86_400


def show_admin(form: FormRequest, wrong: str = "", **shown: Any) -> Answer:
    """Everything that an admin manages; `shown` is what an action has to show."""
    _admin(form)
    control, expiry = form.control, form.stores.events.last_expiry()
    sources = SourceList(form.stores).all()
    channels, channels_wrong = _channels(form.settings.alerts_file)
    context = {
        "made": None,
        "tested": (),
        "kept": _kept(form.settings.keep, expiry.found),
        "expiry": expiry,
        "users": users.list_users(control),
        "keys": keys.list_keys(form.stores, form.now),
        "settings": form.settings,
        "tokens": tokens.list_tokens(control),
        "members": member_records.list_members(control),
        "sources": [source.name for source in sources],
        "heard": {source.name for source in sources if source.heard},
        "public": public_sources(control),
        "feeds": _feeds(control, sources),
        "channels": channels,
        "channels_wrong": channels_wrong,
        "log": audit.latest_entries(control, LATEST),
        "user_roles": users.ROLES,
        "token_roles": tokens.ROLES,
    }
    return form.page("admin.html", wrong, **{**context, **shown})


async def submit_admin(form: FormRequest) -> Answer:
    """Do what the form's field `action` names."""
    admin = _admin(form)
    action = find_action(form.fields.get("action", ""))
    if action is None:
        raise PageError(400, "This form is not known.")
    try:
        shown = await action(form, admin.name)
    except AdminError as error:
        return await asyncio.to_thread(show_admin, form, sentence(error))
    if shown is None:
        return redirect("/admin")
    return await asyncio.to_thread(show_admin, form, **shown)


def _admin(form: FormRequest) -> Visitor:
    """The visitor. PageError if they are no admin."""
    if form.visitor is None or not form.visitor.may_manage:
        raise PageError(403, "Only users with the role admin can see this.")
    return form.visitor


class FeedStatus(NamedTuple):
    """The release feed of a source, the key that signed it, and the keys that may sign one."""

    source: str
    feed: Feed | None
    signed_by: str
    trusted: list[str]


def _feeds(control: ControlStore, sources: list[Source]) -> list[FeedStatus]:
    trusted = trusted_keys(control)
    found = [(source.name, published_feed(control, source.id)) for source in sources]
    return [
        FeedStatus(
            name,
            one.feed if one else None,
            one.key_name if one else "",
            [key.name for of, key in trusted if of == name],
        )
        for name, one in found
    ]


def _channels(path: str) -> tuple[list[Channel], str]:
    """The channels of alerts, and what is wrong with their file."""
    if not path:
        return [], ""
    try:
        return read_channels(path), ""
    except ChannelError as error:
        return [], sentence(error)


def _kept(keep: Keep, expired: Expired) -> list[tuple[str, str, int]]:
    """What is kept, for how long, and how much of it expired last."""
    return [
        ("Heartbeats", _days(keep.heartbeats), expired.beats),
        ("Other events", _days(keep.events), expired.events),
        ("E-mail addresses in requests for help", _days(keep.emails), expired.emails),
        ("Sealed support bundles", _days(keep.bundles), expired.bundles),
    ]


def _days(seconds: int) -> str:
    days = -(-seconds // DAY_SECONDS)  # days are kept whole
    return f"{days} day{'s' if days > 1 else ''}" if seconds else "for ever"
