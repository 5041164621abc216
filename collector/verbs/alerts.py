"""The verb `alerts test`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError
from collector.settings import PREFIX
from collector.verbs.people import MakeVerb
from collector.verbs.terminal import message


def add_verbs(make_group: Callable[[str, str], Any], make_verb: MakeVerb) -> None:
    """Add the verb to the command line."""
    group = make_group("alerts", "check how alerts are sent")
    make_verb(group, "test", _test, "send a message to every channel, and say which took it", storeless=True)


def _test(arguments: argparse.Namespace, _: None) -> None:
    from collector.alerts.channels import ChannelError, read_channels, send_test

    settings = arguments.settings
    if not settings.alerts_file:
        raise AdminError(f"{PREFIX}ALERTS_FILE is not set; it names a file with a URL of apprise a line")
    try:
        channels = read_channels(settings.alerts_file)
    except ChannelError as error:
        raise AdminError(str(error)) from None
    tested = send_test(channels, settings.public_url)
    for channel, taken in tested:
        message(f"line {channel.number} ({channel.kind}): {'sent' if taken else 'not taken'}")
    failed = sum(not taken for _, taken in tested)
    if failed:
        raise AdminError(f"{failed} of {len(channels)} channels did not take the message")
