"""What looks like an e-mail address or an IP address, found by its value, in any text."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

HIDDEN = "(hidden)"

# `ada@example.org`, `ada@localhost`, `ada@10.0.0.1` and `ada%40example.org`, in any script. `lodash@4.17`
# is none: the last part of a name begins with a letter. It begins where a word begins, so that a long text
# without any address takes no longer than its length.
_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]"
_FOUR = r"(?:\d{1,3}\.){3}\d{1,3}"
_MAIL = re.compile(
    rf"(?<!{_LOCAL}){_LOCAL}+(?:[@\uff20\ufe6b]|%40)"
    rf"(?:(?:[\w-]+\.)*[^\W\d_][\w-]*|{_FOUR}|\[{_FOUR}\])"
)
# A `v` before it makes four numbers a version; and five numbers are one in any case.
_IPV4 = re.compile(rf"(?<![\dvV])(?<!\d\.){_FOUR}(?!\d|\.\d)")
_IPV6 = re.compile(rf"(?<![\w:.])(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_FOUR}|[0-9A-Fa-f]{{0,4}})(?![\w:])")
# Names no machine: 0.0.0.0 says that there is none, and browsers write 120.0.0.0 for their version.
_NO_MACHINE = ".0.0.0"
_LARGEST = 255


def mask_addresses(text: str) -> str:
    """The text with HIDDEN in place of every address."""
    if "@" in text or "%40" in text or "\uff20" in text or "\ufe6b" in text:
        text = _MAIL.sub(HIDDEN, text)
    if text.count(":") > 1:
        text = _IPV6.sub(_masked_ipv6, text)
    if text.count(".") > 2:  # noqa: PLR2004 - the dots of an address
        text = _IPV4.sub(_masked_ipv4, text)
    return text


def without_address(body: str) -> str:
    """The JSON of a request for help, without the address; another one in its texts is hidden."""
    event: dict[str, Any] = msgspec.json.decode(body)
    if isinstance(event.get("properties"), dict):
        event["properties"].pop("email", None)
    for part in {"properties", "context"} & event.keys():
        event[part] = _masked(event[part])
    return msgspec.json.encode(event).decode()


def with_masked_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values under masked names. Of names that look alike then, each but the first has a number."""
    found: dict[str, Any] = {}
    alike: Counter[str] = Counter()
    for name, value in values.items():
        shown = masked = mask_addresses(name)
        while shown in found:
            alike[masked] += 1
            shown = f"{masked} {alike[masked] + 1}"
        found[shown] = value
    return found


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return with_masked_names({name: _masked(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return mask_addresses(value) if isinstance(value, str) else value


def _masked_ipv4(found: re.Match[str]) -> str:
    numbers = all(int(number) <= _LARGEST for number in found[0].split("."))
    return HIDDEN if numbers and not found[0].endswith(_NO_MACHINE) else found[0]


def _masked_ipv6(found: re.Match[str]) -> str:
    try:
        address = ipaddress.IPv6Address(found[0])
    except ValueError:
        return found[0]
    return found[0] if address.is_unspecified else HIDDEN
