"""How secrets look: one table of rules, each with examples that it must find and must not find.

A rule's pattern has a group `secret`; only that part is replaced. A rule is tried only in a text that has one
of its `hints` in it, in small letters, because most texts have none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Rule:
    """One shape. `finds` has (line, the secret in it); `spares` has lines in which there is none."""

    name: str
    pattern: re.Pattern[str]
    hints: tuple[str, ...]
    finds: tuple[tuple[str, str], ...]
    spares: tuple[str, ...] = field(default=())
    kind: str = "secret"


NAME = (
    r"passw(?:or)?d|passwd|pass(?![a-z])|pwd|passphrase|secret|token|api[_-]?key|access[_-]?key|account[_-]?key"
    r"|private[_-]?key|encryption[_-]?key|signing[_-]?key|master[_-]?key|license[_-]?key|write[_-]?key"
    r"|credentials?|signature|client[_-]?secret|auth[_-]?key"
)
"""What the name of a secret has in it."""

HARMLESS = (
    r"(?:null|none|nil|true|false|yes|no|on|off|empty|unset|set|missing|required|invalid|expired|undefined"
    r"|\d{1,5}|[*x]+|\$\w+|\$\{[^}]*\}|<[^>]*>|‹[^›]*›|\[[^\]]*\])"
)
"""What stands after such a name and tells nothing."""

_HINTS = ("pass", "pwd", "secret", "token", "key", "credential", "signature")
_CLOUD = (
    "akia asia aiza ya29. ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xox k_live_"
    " k_test_ sk- sg. npm_ hvs. dop_v1_ pypi-"
)
_END = r"""(?=$|[\s,;&"'\\)}\]])"""
_SIGN = r"(?:\n|[^\S\n]{0,32})(?:=>|:=|:(?!=)|=(?!>))(?:\n|[^\S\n]{0,32})"
"""What stands between a name and its value: configuration is often set in columns."""
_QUOTED = r"""\\?"(?P<{0}1>(?:[^"\\\n]|\\[^"\n])+)|'(?P<{0}2>[^'\n]+)"""


def _from(letters: str) -> str:
    """Try only where one of these letters is: a pattern for any case takes a third of the time so."""
    return f"(?=[{letters}{letters.upper()}])"


def _assigned() -> str:
    value = rf"(?!{HARMLESS}{_END})(?P<secret>[^\s,;&\"'\\)}}\]]\S*?)"
    plain = rf"[\"']?{_SIGN}{value}{_END}"
    quoted = rf"(?:\\?[\"'])?{_SIGN}(?:{_QUOTED.format('quoted')})"
    block = r"[\"']?:[^\S\n]{1,8}[|>][+-]?\s{0,8}\n[^\S\n]{1,40}(?P<block>[^\n‹]+)"
    first = _from("".join(sorted({word[0] for word in NAME.split("|")})))
    return rf"{first}(?i:(?:{NAME})[A-Za-z0-9_-]{{0,20}}(?:{block}|{plain}|{quoted}))"


def _beside() -> str:
    """As Kubernetes and others list variables: {"name": "DB_PASSWORD", "value": "…"}."""
    quote, colon = r"(?:\\?[\"'])?", r"\s{0,3}[:=]\s{0,3}"
    name = rf"[A-Za-z0-9_.-]{{0,40}}(?:{NAME})[A-Za-z0-9_.-]{{0,20}}"
    plain = rf"(?!{HARMLESS}{_END})(?P<secret>[^\s,\"'\\}}\]]+)"
    value = rf"(?:{_QUOTED.format('beside')}|{plain})"
    return rf"(?i:name{quote}{colon}{quote}{name}{quote},?\s{{0,60}}{quote}value{quote}{colon}{value})"


def _token(pattern: str) -> re.Pattern[str]:
    """A vendor's own prefix, where no longer word has it."""
    return re.compile(rf"(?<![A-Za-z0-9_-])(?P<secret>{pattern})(?![A-Za-z0-9])")


RULES = (
    Rule(
        "private key in PEM",
        re.compile(
            r"(?P<secret>-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END [A-Z0-9 ]{0,30}KEY(?: BLOCK)?-----|\Z)?)"
        ),
        ("-----begin ",),
        (
            (
                "-----BEGIN PRIVATE KEY-----\nMC4CAQA\n-----END PRIVATE KEY-----\nok",
                "-----BEGIN PRIVATE KEY-----\nMC4CAQA\n-----END PRIVATE KEY-----",
            ),
            (
                r'{"k": "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\n"}',
                r"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
            ),
        ),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",),
    ),
    Rule(
        "JSON web token",
        _token(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
        ("eyj",),
        (("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln ok", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),),
        ("eyJ.is.short",),
    ),
    Rule(
        "authorization header",
        re.compile(
            r"(?i)authorization(?:\\?[\"'])?\s{0,3}[:=]\s{0,3}\[?(?:\\?[\"'])?"
            r"(?:(?:basic|bearer|token|digest|negotiate|apikey|aws4-hmac-sha256)\s+)?"
            r"(?P<secret>[^\s\"'\\,‹]+)"
        ),
        ("authorization",),
        (
            ("> Authorization: Bearer abc.def", "abc.def"),
            ('{"authorization": "Basic dTpwdw=="}', "dTpwdw=="),
            ('{"Authorization":["Basic dTpwdw=="]}', "dTpwdw=="),
            ("authorization=s3cr3t", "s3cr3t"),
        ),
        ("authorization failed", "Authorization is required"),
    ),
    Rule(
        "bearer token",
        re.compile(_from("b") + r"(?i:\bbearer\s+(?P<secret>(?=[A-Za-z._~+/-]*\d)[A-Za-z0-9._~+/-]{8,}=*))"),
        ("bearer",),
        (("sent bearer 0a1b2c3d4e", "0a1b2c3d4e"),),
        ("the bearer authentication is on",),
    ),
    Rule(
        "cookie",
        re.compile(
            r"(?i)\b(?:set-)?cookie(?:\\?[\"'])?\s?:\s?\[?(?:\\?[\"'])?(?P<secret>[^\s\"'\\=;]+=[^\n\"'\\]+)"
        ),
        ("cookie",),
        (
            ("Set-Cookie: sid=1f2e3d; Path=/", "sid=1f2e3d; Path=/"),
            ('{"Cookie":["sid=1f2e3d"]}', "sid=1f2e3d"),
        ),
        ("cookie: none",),
    ),
    Rule(
        "password in a URL",
        re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@\"']{0,100}:(?P<secret>[^\s/\"'‹]{1,200}?)@"),
        ("://",),
        (
            ("redis://:pw@h:6379", "pw"),
            ("dial postgres://shop:p4ss%21@db/shop failed", "p4ss%21"),
        ),
        ("http://h:80/a@b", "https://example.org/x", "postgres://shop@db/shop"),
    ),
    Rule(
        "cloud key",
        _token(
            r"(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}"
            r"|github_pat_\w{22,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"
            r"|sk-(?:[a-z]+-)?[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|npm_[A-Za-z0-9]{36}|hvs\.[\w-]{20,}"
            r"|dop_v1_[a-f0-9]{64}|pypi-[\w-]{50,}"
        ),
        tuple(_CLOUD.split()),
        (
            ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
            ("push glpat-0123456789abcdefghij", "glpat-0123456789abcdefghij"),
        ),
        ("AKIA is the prefix", "disk-0123456789-abcdefghij-a", "risk-free-estimates-are-not-known"),
    ),
    Rule(
        "webhook",
        re.compile(r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[\w/-]{10,})"),
        ("hooks.slack.com",),
        (("post https://hooks.slack.com/services/T0/B0/x1y2z3", "T0/B0/x1y2z3"),),
        ("https://hooks.slack.com/services/",),
    ),
    Rule(
        "password option",
        re.compile(
            rf"(?i)(?:--|(?<![a-z0-9])-)[a-z-]{{0,20}}(?:{NAME})[a-z-]{{0,20}}"
            rf"(?:\s+|\\?[\"'],\s{{0,40}}\\?[\"'])(?!-)[\"']?(?!{HARMLESS}{_END})(?P<secret>[^\s\"']+)"
        ),
        _HINTS,
        (
            ("ran mysql -u shop --password hunter2 shop", "hunter2"),
            ("curl --api-key 'k-1'", "k-1"),
            ("\x1b[36m--password hunter2", "hunter2"),  # after a colour
            ('"Cmd": ["redis-server",\n  "--requirepass",\n  "hunter2"]', "hunter2"),
        ),
        ("see --password --host", "--token $TOKEN", "in two-pass mode", '["--password", "--host"]'),
    ),
    Rule(
        "password of mysql",
        re.compile(r"\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;]{0,200}?\s-p(?P<secret>[^\s\"'‹]+)"),
        ("mysql", "mariadb"),
        (("+ mysqldump -u root -phunter2 shop", "hunter2"),),
        ("mysql -u root -p shop", "mysql --port 3306"),
    ),
    Rule(
        "password of curl",
        re.compile(
            r"\bcurl\b[^\n|;]{0,300}?\s(?:-u|-U|--user|--proxy-user)[\s=]*[\"']?[^\s:\"'‹]{1,100}:"
            rf"(?!{HARMLESS}{_END})(?P<secret>[^\s\"'‹]+)"
        ),
        ("curl",),
        (
            ("+ curl -fsS -u shop:hunter2 https://h", "hunter2"),
            ("curl --user 'shop:hunter2' h", "hunter2"),
        ),
        ("curl -u shop https://h:80/", 'curl -u "shop:$PASS" h', "curl h | tar -u x:y"),
    ),
    Rule(
        "password behind a word",
        re.compile(
            r"\b(?:sshpass\s+-p\s*|(?:requirepass|masterauth"
            r"|machine\s+\S{1,64}\s+login\s+\S{1,64}\s+password|redis-cli\b[^\n|;]{0,100}?\s-a|login\b[^\n|;]{0,100}?\s-p)\s+)"
            rf"[\"']?(?!{HARMLESS}{_END})(?P<secret>[^\s\"'‹]+)"
        ),
        ("requirepass", "masterauth", "login", "sshpass", "redis-cli"),
        (
            ("requirepass hunter2", "hunter2"),
            ("machine h login shop password hunter2", "hunter2"),
            ("+ sshpass -p hunter2 ssh h", "hunter2"),
            ("redis-cli -h db -a 'hunter2' ping", "hunter2"),
            ("+ docker login -u shop -p hunter2 h", "hunter2"),
        ),
        (
            "# requirepass",
            "the login of the password form",
            "redis-cli -h db",
            "docker login -u shop h",
            "login -please",
            "login with password failed",
        ),
    ),
    Rule(
        "password in SQL",
        re.compile(_from("ip") + r"(?i:\b(?:identified\s+by|password)\s+'(?P<secret>[^'\n‹]+)')"),
        ("identified", "password"),
        (("ALTER ROLE shop PASSWORD 'hunter2'", "hunter2"),),
        ("password authentication failed for user 'shop'",),
    ),
    Rule(
        "value of a secret's name",
        re.compile(_assigned()),
        _HINTS,
        (
            ("DB_PASSWORD=hunter2", "hunter2"),
            ("API_TOKEN=0a1b2c", "0a1b2c"),
            ('{"clientSecret":"ab\\nc d"}', "ab\\nc d"),
            (r'"{\"password\": \"hunter2\"}"', "hunter2"),
            ("GET /cb?access_token=t0k&state=1", "t0k"),
            ("secret_key_base: 'a b'", "a b"),
            ("AccountKey=dGVzdA==;EndpointSuffix=x", "dGVzdA=="),
            ("export SMTP_PASSWORD='it is'", "it is"),
            ("DB_PASS=hunter2", "hunter2"),
            ("password   =  hunter2", "hunter2"),
            ("\tpassword:\t\t'hunter2'", "hunter2"),
            ("'password' => 'hunter2',", "hunter2"),
            ("api_key := hunter2", "hunter2"),
            ("password: |\n  correct horse\nuser: shop", "correct horse"),
        ),
        (
            "max_tokens: 512",
            "password: null",
            "password:    null",
            "passes = 3 of it",
            "PASSWORD=${DB_PASSWORD}",
            "token=‹secret-1›",
            "invalid token, retry",
            "the key is at the end",
            "secrets: [REDACTED]",
        ),
    ),
    Rule(
        "value of a secret's element",
        re.compile(rf"(?i)<[^<>\n]{{0,80}}(?:{NAME})[^<>\n]{{0,40}}>(?!{HARMLESS}</)(?P<secret>[^<>\n‹]+)</"),
        _HINTS,
        (
            ("<password>hunter2</password>", "hunter2"),
            ('<entry key="db.password">it is</entry>', "it is"),
        ),
        ("<password>${DB_PASSWORD}</password>", "<password/><user>shop</user>"),
    ),
    Rule(
        "value beside a secret's name",
        re.compile(_beside()),
        ("value",),
        (
            ('{"name": "DB_PASSWORD", "value": "hunter2"}', "hunter2"),
            ("- name: DB_PASSWORD\n  value: hunter2", "hunter2"),
            ("- name: SMTP_PASS\n  value: 'hun ter2'", "hun ter2"),
            ('<property name="password" value="hunter2"/>', "hunter2"),
        ),
        (
            "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: db",
            "- name: DB_HOST\n  value: db",
            "- name: USE_TOKEN\n  value: true",
        ),
    ),
    Rule(
        "e-mail address",
        re.compile(
            r"(?<![\w.+-])(?P<secret>[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24})(?![\w-])"
        ),
        ("@",),
        (("mail to ann.lee+x@example.org bounced", "ann.lee+x@example.org"),),
        ("left@right", "user@host:22", "foo @ bar.org"),
        kind="email",
    ),
)


def secret_spans(rule: Rule, text: str) -> Iterator[tuple[int, int]]:
    """Where in the text the rule finds secrets, in order."""
    for found in rule.pattern.finditer(text):
        name = next(name for name in rule.pattern.groupindex if found[name] is not None)
        yield found.span(name)
