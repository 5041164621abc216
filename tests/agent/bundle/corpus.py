"""Log lines of 12 products as they look, with secrets planted in some of them."""

from __future__ import annotations

import base64
import json
import random
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda text: quote(text, safe=""),
    "url in small letters": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of more": lambda text: base64.urlsafe_b64encode(f"shop:{text}@db".encode()).decode(),
    "json": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "shell": shlex.quote,
    "hex": lambda text: text.encode().hex(),
}

PREFIXES: dict[str, str] = {
    "nginx": '10.1.2.3 - - [29/Nov/2026:07:{m:02}:{s:02} +0000] "{text}" 200 {n} "-" "curl/8.5.0"',
    "postgres": "2026-11-29 07:{m:02}:{s:02}.{n:03} UTC [{n}] LOG:  {text}",
    "mysql": "2026-11-29T07:{m:02}:{s:02}.{n:06}Z {n} [Note] [MY-010{m:03}] [Server] {text}",
    "redis": "{n}:M 29 Nov 2026 07:{m:02}:{s:02}.{n:03} * {text}",
    "docker": 'time="2026-11-29T07:{m:02}:{s:02}Z" level=info msg="{text}" module=engine',
    "kubernetes": 'I1129 07:{m:02}:{s:02}.{n:06} {n:7} pod.go:{n}] "{text}" pod="shop/web-0"',
    "spring": "2026-11-29 07:{m:02}:{s:02}.{n:03}  INFO {n} --- [main] c.shop.Application : {text}",
    "rails": "I, [2026-11-29T07:{m:02}:{s:02}.{n:06} #{n}]  INFO -- : [{n}] {text}",
    "django": "[29/Nov/2026 07:{m:02}:{s:02}] INFO [django.server:{n}] {text}",
    "node": '{{"level":30,"time":17643{n:08},"pid":{n},"msg":"{text}"}}',
    "systemd": "Nov 29 07:{m:02}:{s:02} web-7 shop[{n}]: {text}",
    "terraform": "2026-11-29T07:{m:02}:{s:02}.{n:03}Z [DEBUG] provider.shop: {text}",
}

CLEAN = (
    "GET /api/v1/orders?page=2&limit=50 HTTP/1.1",
    "checkpoint complete: wrote 42 buffers, 0 WAL files added, sync=0.004 s",
    "connection received: host=cache port=5432 user=shop database=orders",
    "InnoDB: Buffer pool of 134217728 bytes is initialized in 0.3 s",
    "Ready to accept connections tcp on port 6379",
    "Container 3f2b8c1d0a4e died with exit code 137",
    "Pulling image docker.io/library/postgres:16.4 sha256:1f0d2b",
    "Started Application in 4.21 seconds, process running for 5.02",
    "Completed 200 OK in 12ms, Views: 3.1ms, ActiveRecord: 4.0ms",
    "migration 0042_add_index_to_orders applied",
    "password authentication failed for user shop",
    "the access token has expired, a new one is requested",
    "max_tokens: 512 and token count 318 of the prompt",
    "Secret shop/tls is mounted at /etc/shop/tls",
    "retrying in 5s: dial tcp 172.18.0.3:5432: connect: connection refused",
)

CARRIERS = (
    "connecting as shop with {} to the database",
    "config: DB_PASSWORD={}",
    "env API_TOKEN={} is set",
    "Authorization: Bearer {}",
    "dial redis://:{}@cache:6379/0",
    "POST /login?next=home&session_token={}",
    "payload [{}] was refused",
    "exec deploy --password {} --host db",
    "cannot decode value {}: bad padding",
    "header x-api-key: {}",
)

SHAPED = (
    "Authorization: Bearer {}",
    "dial redis://:{}@cache:6379/0",
    "SMTP_PASSWORD={}",
    "client_secret: {}",
)


@dataclass(frozen=True)
class Line:
    text: str
    secret: str | None = None
    """The planted secret as it is."""
    written: str = ""
    """The secret as it stands in the line."""


@dataclass(frozen=True)
class Corpus:
    lines: list[Line]
    variables: dict[str, str]
    """What docker.env says."""


def make_corpus() -> Corpus:
    """300 lines: of each product 15 clean ones and 10 with a secret, 8 known by docker.env, each in another
    encoding, and 2 by their shape alone."""
    dice = random.Random(7)
    alphabet = "abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789" + "+/!$'%&"
    lines, variables = [], {}

    def line(product: str, text: str, secret: str | None = None, written: str = "") -> None:
        shown = PREFIXES[product].format(
            text=text, m=dice.randrange(60), s=dice.randrange(60), n=dice.randrange(100, 999)
        )
        lines.append(Line(shown, secret, written))

    for product in PREFIXES:
        for text in CLEAN:
            line(product, text)
        for number, encode in enumerate(ENCODINGS.values()):
            secret = "".join(dice.choices(alphabet, k=dice.randrange(7, 30)))
            variables[f"{product.upper()}_SECRET_{number}"] = secret
            line(product, dice.choice(CARRIERS).format(encode(secret)), secret, encode(secret))
        for _ in range(2):
            secret = "".join(dice.choices(alphabet[:52], k=dice.randrange(7, 30))) + "7"
            line(product, dice.choice(SHAPED).format(secret), secret, secret)
    return Corpus(lines, variables)
