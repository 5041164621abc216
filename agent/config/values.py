"""What the value of a setting may be: each kind is the words that say so, and the function that parses it.

The function raises ValueError for what is not accepted. Part of the boot path of `wrap`: imports stay few
and cheap.
"""

from __future__ import annotations

import os

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
X25519_SIGNS = 43
MAX_JWK = 500
LONGEST = 366 * 86400
MOST_VERSIONS = 9999
MAX_TEXT = 100
MAX_PORT = 65535
ENVIRONMENTS = ("production", "ci", "dev", "test", "internal")
MOST_PUBLIC_KEYS = 2
PUBLIC_KEY_LENGTH = 56


def parse_text(value: str) -> str:
    if len(value) > MAX_TEXT or not value.isprintable():
        raise ValueError
    return value


def parse_path(value: str) -> str:
    if "\0" in value:
        raise ValueError
    return value and os.path.abspath(value)


def parse_endpoint(value: str) -> str:
    if not value:
        return ""
    scheme, _, rest = value.partition("://")
    authority, _, _ = rest.partition("/")
    plain = value.isascii() and value.isprintable() and not set(value) & set(" ?#@\\\"'<>")
    if scheme.lower() not in ("http", "https") or not plain or not _is_host_port(authority):
        raise ValueError
    return (scheme.lower() + "://" + rest).rstrip("/")


def _is_host_port(authority: str) -> bool:
    """Whether this is HOST, HOST:PORT or [IPv6]:PORT."""
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, "443"
    bracketed = host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1])
    number = port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT
    return bool(host) and number and (bracketed or not set(host) & set(":[]"))


def _is_ipv6(text: str) -> bool:
    """Whether this is an address; what parses a URL later refuses anything else in brackets."""
    if set(text) - set("0123456789abcdefABCDEF:."):
        return False
    import ipaddress  # few name an endpoint by such an address

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def parse_key(value: str) -> str:
    if not value.isascii() or not value.isprintable() or set(value) & {" ", ":"}:
        raise ValueError
    return value


def parse_duration(value: str) -> float:
    """Seconds from `90`, `90s`, `15m`, `6h` or `1d`."""
    number, unit = (value[:-1], value[-1]) if value[-1:] in UNITS else (value, "s")
    if not (number.isascii() and number.isdigit()) or int(number) * UNITS[unit] > LONGEST:
        raise ValueError
    return float(int(number) * UNITS[unit])


def parse_interval(value: str) -> float:
    seconds = parse_duration(value)
    if seconds < 1:
        raise ValueError
    return seconds


def parse_health(value: str) -> str:
    kind, _, what = value.partition(":")
    if kind.lower() in ("http", "https"):
        kind = kind.lower()
        value = f"{kind}:{what}"
    one_word = value.isprintable() and " " not in value
    if kind == "tcp":
        fine = ":" in what and _is_host_port(what)
    elif kind in ("http", "https"):
        fine = bool(parse_endpoint(value.partition("?")[0]))
    elif kind == "pidfile":
        fine = what.startswith("/")
    else:
        fine = kind in ("unit", "process") and bool(what) and not what.startswith("-")
    if value and not (fine and one_word):
        raise ValueError
    return value


def parse_usage(value: str) -> str:
    if value.lower() not in ("ask", "true", "false"):
        raise ValueError
    return value.lower()


def parse_version(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or not 0 < int(value) <= MOST_VERSIONS:
        raise ValueError
    return int(value)


def parse_switch(value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise ValueError
    return value.lower()


def parse_public_keys(value: str) -> str:
    """One or two public keys of minisign; whoever verifies by them reads them whole."""
    words = value.replace(",", " ").split()
    if len(words) > MOST_PUBLIC_KEYS or not all(_is_public_key(word) for word in words):
        raise ValueError
    return " ".join(words)


def _is_public_key(word: str) -> bool:
    """Whether this is `Ed`, a key id and a key, in Base64: 42 bytes, so there is no padding.

    `Ed` is `RW` and most of the third letter.
    """
    alphabet = word.isascii() and word.replace("+", "a").replace("/", "a").isalnum()
    return alphabet and len(word) == PUBLIC_KEY_LENGTH and word.startswith(("RWQ", "RWR", "RWS", "RWT"))


def parse_proxy(value: str) -> str:
    """A proxy's URL, perhaps with a user and a password; or the absolute path of a file that holds one."""
    if not value or value.startswith("/"):
        return parse_path(value)
    scheme, _, rest = value.rstrip("/").partition("://")
    user, _, address = rest.rpartition("@")
    if not user.isascii() or not user.isprintable() or set(user) & set(" /?#@\\[]") or "/" in address:
        raise ValueError
    parse_endpoint(f"{scheme}://{address}")
    return value


def parse_environment(value: str) -> str:
    if value.lower() not in ("", *ENVIRONMENTS):
        raise ValueError
    return value.lower()


def parse_support_key(value: str) -> str:
    """A public key as JWK. A private one has nothing to do on an operator's machine."""
    if not value:
        return value
    import json

    if len(value) > MAX_JWK:
        raise ValueError
    key = json.loads(value)
    public = isinstance(key, dict) and key.get("kty") == "OKP" and key.get("crv") == "X25519"
    if not public or "d" in key or not _is_x25519(key.get("x")):
        raise ValueError
    return value


def _is_x25519(x: object) -> bool:
    """Whether this is 32 bytes in base64 of URLs."""
    return (
        isinstance(x, str)
        and len(x) == X25519_SIGNS
        and x.isascii()
        and x.replace("-", "").replace("_", "").isalnum()
    )


A_DURATION = "a whole number of seconds, or a number with a unit: 90s 15m 6h 1d (at most a year)"
A_PROXY = (
    "http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before HOST where it is needed,"
    " or the path of a file with that in it; SOCKS is not supported"
)

TEXT = ("up to 100 printable characters", parse_text)
ENDPOINT = ("the base URL of a Segment-compatible API, such as https://api.segment.io", parse_endpoint)
KEY = ("ASCII without spaces and colons", parse_key)
KEY_FILE = ("the path of a file that exists", parse_path)
PATH = ("a path", parse_path)
DURATION = (A_DURATION, parse_duration)
INTERVAL = (A_DURATION + ", not 0", parse_interval)
PROXY = (A_PROXY, parse_proxy)
HEALTH = ("unit:NAME, pidfile:/PATH, process:NAME, tcp:HOST:PORT, http://… or https://…", parse_health)
SUPPORT_KEY = ("the JWK of a public X25519 key, as JSON on one line", parse_support_key)
USAGE = ("ask, true or false", parse_usage)
VERSION = (f"a whole number from 1 to {MOST_VERSIONS}", parse_version)
ENVIRONMENT = ("production, ci, dev, test or internal", parse_environment)
SWITCH = ("true or false", parse_switch)
PUBLIC_KEYS = ("one or two public keys of minisign, with a comma or a space between", parse_public_keys)
UPDATES_URL = ("the URL of a file, such as https://example.com/feed.json, without ? and #", parse_endpoint)
