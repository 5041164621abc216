"""The verb `cluster check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError
from collector.settings import PREFIX, events_password
from collector.store import check_events
from collector.verbs.opening import EVENTS_OPTION
from collector.verbs.people import MakeVerb


def add_verbs(make_group: Callable[[str, str], Any], make_verb: MakeVerb) -> None:
    """Add the verb to the command line."""
    group = make_group("cluster", "try out where events are to be kept")
    text = "try in a scratch database what the collector needs of ClickHouse, and say what holds"
    made = make_verb(group, "check", _check, text, storeless=True)
    made.add_argument("--events", metavar="URL", help=EVENTS_OPTION)


def _check(arguments: argparse.Namespace, _: None) -> None:
    settings = arguments.settings
    if not settings.events:
        raise AdminError(f"no ClickHouse is named; use --events URL, or set {PREFIX}EVENTS")
    failed = 0
    for finding in check_events(settings.events, events_password(settings)):
        failed += not finding.holds
        sys.stdout.write(f"{'ok  ' if finding.holds else 'FAIL'}  {finding.text}\n")
        sys.stdout.flush()
    if failed:
        raise AdminError(f"{failed} of these do not hold; see docs/scaling.md")
