"""API tokens: programs read the page without signing in."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.admin import AdminError, keys, tokens
from collector.base.secrets import secret_digest
from collector.page.frame import NAVIGATION, QUESTIONS
from collector.store import Stores
from tests.collector.page.client import PageClient, Reply
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import EMAIL, INSTANCE, RUN, failed_run
from tests.collector.running import Collector

ROOT = Path(__file__).parents[3]
VIEWS = [
    "/overview",
    *(path for path, _ in NAVIGATION[1:]),
    *(path for path, *_ in QUESTIONS),
    f"/run/{RUN}",
    f"/instance/{INSTANCE}",
]


@pytest.fixture(autouse=True)
def landed(send: Callable[..., None]) -> None:
    send(*failed_run())


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def asked(client: PageClient, path: str, authorization: str) -> Reply:
    return client.get(path, cookie="", authorization=authorization)


def add(stores: Stores, role: str = "support", source: str | None = None) -> str:
    return tokens.add_token(stores.control, f"{role} of {source}", role, source, 0)


@pytest.mark.parametrize("users_exist", [False, True])
def test_a_token_reads_every_view_as_json_and_csv_and_gets_no_cookie(
    client: PageClient, page_stores: Stores, request: pytest.FixtureRequest, users_exist: bool
) -> None:
    if users_exist:
        request.getfixturevalue("viewer")
    token = add(page_stores)
    assert len(base64.urlsafe_b64decode(token.removeprefix(tokens.PREFIX) + "=")) * 8 == 256
    for view in VIEWS:
        for suffix in ("json", "csv"):
            for scheme in ("Bearer", "bearer"):
                reply = asked(client, f"{view}.{suffix}", f"{scheme} {token}")
                assert reply.status == 200, view
                assert not reply.cookie
    assert asked(client, "/support.json", f"Bearer {token}").json()["waiting"] == 1


def test_basic_works_with_the_token_as_user_or_password(client: PageClient, page_stores: Stores) -> None:
    token = add(page_stores)
    for user, password in ((token, ""), (token, "x"), ("", token), ("anybody", token)):
        assert asked(client, "/support.json", basic(user, password)).status == 200


@pytest.mark.parametrize("users_exist", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        "Bearer rct_" + "A" * 43,
        "Bearer rct_",
        "Bearer ",
        "Bearer",
        "Bearer é",
        "Basic !",
        basic("rct_", "rct_x"),
        basic("ada", PASSWORD),
        "Digest rct_x",
        "",
    ],
)
def test_a_wrong_token_is_401_as_json(
    client: PageClient, request: pytest.FixtureRequest, wrong: str, users_exist: bool
) -> None:
    if users_exist:
        request.getfixturevalue("viewer")
    for path in ("/overview.json", "/events.csv", "/nowhere.json"):
        reply = asked(client, path, wrong)
        assert reply.status == 401
        assert reply.header("content-type") == "application/json"
        assert reply.header("www-authenticate").startswith("Bearer")
        assert (reply.json()["success"], reply.json()["code"]) == (False, "unauthorized")
        assert not reply.cookie


def test_the_digest_in_the_database_is_no_token(client: PageClient, page_stores: Stores) -> None:
    token = add(page_stores)
    ((digest,),) = page_stores.control.all("SELECT hash FROM tokens")
    assert bytes(digest) == secret_digest(token)
    assert asked(client, "/overview.json", f"Bearer {tokens.PREFIX}{bytes(digest).hex()}").status == 401


def test_a_token_has_a_role(client: PageClient, page_stores: Stores) -> None:
    told = dict.fromkeys(tokens.ROLES, "")
    for role in told:
        token = add(page_stores, role)
        for view in VIEWS:
            for suffix in ("json", "csv"):
                reply = asked(client, f"{view}.{suffix}", f"Bearer {token}")
                assert reply.status == (403 if role == "viewer" and view == "/support" else 200)
                told[role] += reply.text
    assert EMAIL in told["support"]
    assert EMAIL not in told["viewer"]


def test_a_token_opens_no_page_and_sends_no_form(
    client: PageClient, page_stores: Stores, helper: str
) -> None:
    """So a browser that has one, by a link with a name in it, can be made to do nothing."""
    bearer = f"Bearer {add(page_stores)}"
    for path in ("/", "/support", "/events", "/signin", "/setup"):
        reply = asked(client, path, bearer)
        assert reply.status == 401
        assert ".json" in reply.text
        assert not reply.cookie
    cookie = client.sign_in(helper, PASSWORD)
    form = {"token": client.get("/support", cookie=cookie).token, "run": RUN, "answered": "yes"}
    assert client.post("/support", form, cookie="", authorization=bearer).status == 403
    assert client.post("/support", form, cookie=cookie, authorization=bearer).status == 401
    assert asked(client, "/support.json", bearer).json()["waiting"] == 1
    assert client.post("/support", form, cookie=cookie).status == 303
    assert asked(client, "/support.json", bearer).json()["waiting"] == 0


def test_credentials_of_others_in_the_header_leave_a_session_as_it_is(
    client: PageClient, helper: str
) -> None:
    """As of a proxy that signs people in and sends its own along."""
    cookie = client.sign_in(helper, PASSWORD)
    for others in (basic("ada", "secret"), "Bearer eyJhbGciOi.x.y", "Negotiate x"):
        assert client.get("/support.json", cookie=cookie, authorization=others).status == 200


@pytest.mark.needs("curl")
def test_the_commands_in_the_docs_read_a_view(collector: Collector, tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(umask.*?)```", (ROOT / "docs/collector.md").read_text(), re.DOTALL)
    program = tmp_path / "bin" / "rollcall-collector"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m collector "$@"\n')
    program.chmod(0o755)
    env = {**collector.environ(), "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    script = block.replace("127.0.0.1:8787", f"127.0.0.1:{collector.port}")
    done = subprocess.run(["sh", "-ec", script], env=env, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == b"{}\n"  # the view of a database without events
    assert (tmp_path / "header").stat().st_mode & 0o777 == 0o600


def test_tokens_are_added_listed_and_revoked(idle: Collector) -> None:
    idle.verb("keys", "add", "product")
    done = idle.verb("tokens", "add", "grafana", "--role", "support", "--source", "product")
    assert done.stdout.startswith(tokens.PREFIX)
    assert done.stdout.count("\n") == 1
    other = idle.verb("tokens", "add", "report").stdout.strip()
    listed = idle.verb("tokens", "list").stdout
    assert listed.startswith("grafana\tsupport\tproduct\tcreated ")
    assert "\nreport\tviewer\tall sources\tcreated " in listed
    assert other not in listed
    assert "already" in idle.verb("tokens", "add", "report", code=1).stderr
    assert "no source" in idle.verb("tokens", "add", "x", "--source", "nope", code=1).stderr
    assert "a name has" in idle.verb("tokens", "add", "a\tb", code=1).stderr
    idle.verb("tokens", "revoke", "grafana")
    idle.verb("tokens", "revoke", other)
    assert idle.verb("tokens", "list").stdout == ""
    assert "tokens list" in idle.verb("tokens", "revoke", "grafana", code=1).stderr


def test_a_revoked_token_opens_nothing_from_that_moment(client: PageClient, page_stores: Stores) -> None:
    token = tokens.add_token(page_stores.control, "report", "viewer", None, 0)
    assert asked(client, "/overview.json", f"Bearer {token}").status == 200
    tokens.revoke_token(page_stores.control, "report", 0)
    assert asked(client, "/overview.json", f"Bearer {token}").status == 401


def test_a_token_whose_name_begins_as_tokens_do_is_revoked_by_its_name(page_stores: Stores) -> None:
    name = f"{tokens.PREFIX}grafana"
    token = tokens.add_token(page_stores.control, name, "viewer", None, 0)
    tokens.revoke_token(page_stores.control, name, 0)
    assert tokens.token_access(page_stores.control, token) is None


def test_tokens_are_kept_by_both_databases(stores: Stores) -> None:
    with stores.control.transaction() as tx:
        source = keys.source_named(tx, "product", 0)
    token = tokens.add_token(stores.control, "report", "support", "product", 7)
    assert tokens.list_tokens(stores.control) == [("report", "support", "product", 7)]
    assert tokens.token_access(stores.control, token) == ("report", "support", source)
    with pytest.raises(AdminError, match="already"):
        tokens.add_token(stores.control, "report", "viewer", None, 7)
