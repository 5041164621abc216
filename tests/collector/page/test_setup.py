"""The page before any user exists: closed, but for whoever opens the setup link."""

from __future__ import annotations

import os
import pty
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from collector.admin import AdminError, setup, users
from collector.base.secrets import secret_digest
from collector.page.frame import NAVIGATION, QUESTIONS
from collector.settings import read_settings
from collector.store import Stores
from collector.verbs.opening import command_for
from tests.collector.page.client import PageClient, Reply
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import EMAIL, INSTANCE, RUN, failed_run
from tests.collector.running import Collector
from tests.wait import PATIENCE

ROOT = Path(__file__).parents[3]
VIEWS = [
    *(path for path, _ in NAVIGATION),
    *(path for path, *_ in QUESTIONS),
    f"/run/{RUN}",
    f"/instance/{INSTANCE}",
]
LINK = re.compile(r"http://\S+/setup\?token=([A-Za-z0-9_-]{43})")


@pytest.fixture
def link(client: PageClient, page_stores: Stores) -> str:
    """The path of a setup link."""
    return setup.new_link(page_stores.control, "", client.now)


def opened(client: PageClient, link: str, **told: str) -> Reply:
    """The page with the button, as a browser gets it that follows the link."""
    reply = client.get(link, cookie="", **told)
    assert reply.status == 303
    return client.get(reply.header("location"), cookie=reply.cookie, **told)


def pressed(client: PageClient, link: str) -> Reply:
    """What comes back when the button is pressed."""
    link_cookie = client.get(link, cookie="").cookie
    button = client.get("/setup", cookie=link_cookie)
    return client.post("/setup", {"token": button.token}, cookie=f"{link_cookie}; {button.cookie}")


@contextmanager
def plain_proxy(port: int) -> Iterator[int]:
    """A proxy that passes on every byte and says nothing of itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                client, _ = listener.accept()
                with client, socket.create_connection(("127.0.0.1", port)) as server:
                    server.sendall(client.recv(65536))
                    while data := server.recv(65536):
                        client.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(PATIENCE)


def test_a_stranger_behind_a_silent_proxy_reads_nothing_for_naming_a_local_host(
    collector: Collector,
) -> None:
    for event in failed_run():
        assert collector.post("/v1/track", event).status == 200
    with (
        plain_proxy(collector.port) as port,
        closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as asked,
    ):
        asked.request("GET", "/support.json", headers={"Host": "localhost", "Connection": "close"})
        answer = asked.getresponse()
        body = answer.read().decode()
    assert answer.status == 401
    assert EMAIL not in body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8787", "[::1]", "rollcall.example"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "192.0.2.7"])
def test_without_users_nobody_sees_the_page_whatever_host_or_address(
    client: PageClient, send: Callable[..., None], host: str, peer: str
) -> None:
    send(*failed_run())
    for view in (*VIEWS, "/signin", "/setup"):
        reply = client.get(view, host=host, peer=peer, cookie="")
        assert reply.status == 403
        assert "rollcall-collector setup-link" in reply.text
        assert "product" not in reply.text
        assert not reply.cookie
    for view in ("/overview.json", "/support.json", "/events.csv"):
        reply = client.get(view, host=host, peer=peer, cookie="")
        assert (reply.status, reply.json()["code"]) == (401, "unauthorized")
    assert client.get("/support.json").json()["waiting"] == 1  # which the setup link opens


def test_the_link_opens_the_page_in_the_browser_where_the_button_was_pressed(
    client: PageClient, send: Callable[..., None], link: str
) -> None:
    send(*failed_run())
    reply = pressed(client, link)
    assert (reply.status, reply.header("location")) == (303, "/")
    for view in VIEWS:
        shown = client.get(view, cookie=reply.cookie)
        assert shown.status == 200
        assert "No user exists yet" in shown.text
    assert EMAIL in client.get("/support", cookie=reply.cookie).text


def test_the_secret_leaves_the_address_at_once_and_goes_nowhere_else(client: PageClient, link: str) -> None:
    token = link.partition("=")[2]
    first = client.get(link, cookie="")
    assert first.header("location") == "/setup"
    assert [value for name, value in first.headers if name == "referrer-policy"] == ["no-referrer"]
    assert not first.text
    assert {"HttpOnly", "SameSite=Lax", "Max-Age=900"} <= set(first.header("set-cookie").split("; "))
    button = client.get("/setup", cookie=first.cookie)
    assert token not in button.text
    assert token not in client.get("/setup?token=" + token[:-1], cookie="").text


def test_programs_that_only_look_at_links_do_not_spend_them(client: PageClient, link: str) -> None:
    for _ in range(3):
        assert "Open the page" in opened(client, link).text
        assert client.request("HEAD", link, cookie="").status == 303
    assert pressed(client, link).status == 303


def test_a_link_works_once(client: PageClient, link: str) -> None:
    assert pressed(client, link).status == 303
    for _ in range(2):
        late = opened(client, link)
        assert late.status == 403
        assert "used already" in late.text


def test_a_link_is_spent_once_even_if_two_press_at_the_same_time(stores: Stores) -> None:
    token = setup.new_link(stores.control, "", 0).partition("=")[2]
    secrets: list[str | None] = []
    begin = threading.Barrier(4)

    def press() -> None:
        begin.wait(PATIENCE)
        secrets.append(setup.spend_link(stores.control, token, 1))

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(secrets) == 4
    assert sum(secret is not None for secret in secrets) == 1


def test_a_link_is_too_old_after_a_quarter_of_an_hour(client: PageClient, link: str) -> None:
    client.now += setup.LINK_MS - 1
    button = opened(client, link)
    assert button.status == 200
    client.now += 1
    assert "older than 15 minutes" in opened(client, link).text
    cookies = f"rollcall-setup={link.partition('=')[2]}; {button.cookie}"
    assert client.post("/setup", {"token": button.token}, cookie=cookies).status == 403


def test_a_new_link_replaces_the_one_before(client: PageClient, page_stores: Stores, link: str) -> None:
    newer = setup.new_link(page_stores.control, "", client.now)
    assert opened(client, link).status == 403
    assert pressed(client, newer).status == 303


def test_a_button_pressed_without_its_token_or_by_another_site_spends_nothing(
    client: PageClient, link: str
) -> None:
    link_cookie = client.get(link, cookie="").cookie
    button = client.get("/setup", cookie=link_cookie)
    cookies, right = f"{link_cookie}; {button.cookie}", {"token": button.token}
    assert client.post("/setup", {}, cookie=cookies).status == 403
    assert client.post("/setup", right, cookie=link_cookie).status == 403
    assert client.post("/setup", right, cookie=cookies, origin="https://evil.example").status == 403
    assert client.post("/setup", right, cookie=cookies, sec_fetch_site="cross-site").status == 403
    assert client.post("/setup", right, cookie=button.cookie).status == 403
    assert client.post("/setup", right, cookie=cookies).status == 303


def test_the_database_has_neither_link_nor_cookie(client: PageClient, page_stores: Stores, link: str) -> None:
    token = link.partition("=")[2]
    assert (secret_digest(token),) in page_stores.control.all("SELECT secret FROM setup")
    cookie = pressed(client, link).cookie.partition("=")[2]
    stored = [bytes(secret) for (secret,) in page_stores.control.all("SELECT secret FROM setup")]
    assert secret_digest(cookie) in stored
    for digest in stored:
        assert client.get("/", cookie=f"rollcall={digest.hex()}").status == 403
        assert client.get(f"/setup?token={digest.hex()}", cookie="").status == 403


def test_the_session_of_a_link_ends_after_half_a_day(client: PageClient, link: str) -> None:
    cookie = pressed(client, link).cookie
    client.now += setup.SESSION_MS - 1
    assert client.get("/", cookie=cookie).status == 200
    client.now += 1
    assert client.get("/", cookie=cookie).status == 403


def test_once_a_user_exists_no_link_and_no_session_of_one_opens_the_page(
    client: PageClient, page_stores: Stores, link: str
) -> None:
    cookie = client.cookie
    assert client.get("/", cookie=cookie).status == 200
    users.add_user(page_stores.control, "ada", "support", PASSWORD, 0)
    assert client.get("/", cookie=cookie).header("location") == "/signin"
    assert opened(client, link).header("location") == "/"
    with pytest.raises(AdminError, match="users list"):
        setup.new_link(page_stores.control, "", client.now)
    users.remove_user(page_stores.control, "ada", 0)
    assert client.get("/", cookie=cookie).status == 403
    assert opened(client, link).status == 403


def test_the_first_user_is_added_on_the_page_and_is_an_admin(client: PageClient, page_stores: Stores) -> None:
    token = client.get("/setup").token
    right = {"token": token, "name": "ada", "password": PASSWORD, "again": PASSWORD}
    for wrong, told in (
        ({"again": "another password"}, "not the same"),
        ({"password": "short", "again": "short"}, "at least 10"),
        ({"name": " "}, "A name has"),
        ({"name": "a\tb"}, "A name has"),
    ):
        refused = client.post("/setup", right | wrong)
        assert refused.status == 403
        assert told in refused.text
    assert not users.any_user(page_stores.control)
    signed_in = client.post("/setup", right)
    assert signed_in.status == 303
    assert [row[:2] for row in users.list_users(page_stores.control)] == [("ada", "admin")]
    assert client.get("/", cookie=signed_in.cookie).status == 200
    assert client.get("/").status == 303  # the setup's own session has ended
    assert client.post("/setup", right | {"name": "eve"}).status == 403


def test_the_verb_prints_a_link_to_where_the_server_listens(idle: Collector) -> None:
    idle.verb("keys", "add", "product")  # makes the database
    for words, start in (([], "http://127.0.0.1:8787/"), (["--listen", "0.0.0.0:9"], "http://127.0.0.1:9/")):
        printed = idle.verb("setup-link", *words).stdout
        assert LINK.fullmatch(printed.strip())
        assert printed.startswith(start)
    idle.settings["ROLLCALL_COLLECTOR_PUBLIC_URL"] = "https://rollcall.example"
    assert idle.verb("setup-link").stdout.startswith("https://rollcall.example/setup?token=")
    idle.verb("users", "add", "ada", stdin=PASSWORD + "\n")
    refused = idle.verb("setup-link", code=1)
    assert "users list" in refused.stderr
    assert not refused.stdout


def test_a_server_without_a_terminal_prints_no_link_but_how_to_get_one(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    served = start(f"sqlite:///{tmp_path}/collector.db")
    link = served.verb("setup-link").stdout.strip()
    path = link[link.index("/setup") :]
    assert served.get(path).status == 303
    assert "rollcall-collector setup-link" in served.said
    assert "token" not in served.said + served.stop()


def test_the_command_that_a_server_names_opens_its_page(
    start: Callable[..., Collector], database: str, tmp_path: Path
) -> None:
    """Run in a shell that knows nothing of this server, to the letter."""
    served = start(database)
    command = shlex.split(re.search(r"to open it: rollcall-collector (.*)", served.said)[1])  # type: ignore[index]
    shell = Collector(tmp_path / "other home", "")
    link = shell.verb(*command).stdout.strip()
    assert link.startswith(f"http://127.0.0.1:{served.port}/setup?token=")
    assert served.get(link[link.index("/setup") :]).status == 303
    assert not (tmp_path / "other home").exists()


@pytest.mark.parametrize(
    ("words", "db", "command"),
    [
        (["keys", "add", "NAME"], "", "rollcall-collector keys add NAME"),
        (["setup-link"], "sqlite:////a b/c.db", "rollcall-collector setup-link --db 'sqlite:////a b/c.db'"),
        (
            ["setup-link"],
            "postgresql://me:s3cret@db/rollcall",
            "rollcall-collector setup-link (with ROLLCALL_COLLECTOR_DB as it is here)",
        ),
    ],
)
def test_a_command_names_the_database_and_no_password(words: list[str], db: str, command: str) -> None:
    settings = read_settings({**os.environ, "ROLLCALL_COLLECTOR_DB": db})
    assert command_for(settings, *words) == command


def said_on_a_terminal(collector: Collector, words: bytes) -> str:
    """All that a server says whose stderr is a terminal; it is stopped when it has said these words."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "collector", "serve", "--listen", "127.0.0.1:0"]
    said = b""
    with subprocess.Popen(
        command, env=collector.environ(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        with suppress(OSError):  # the end of a terminal that nobody has open any more
            while chunk := os.read(ours, 4096):
                said += chunk
                if words in said:
                    process.terminate()
    os.close(ours)
    return said.decode()


def test_a_server_on_a_terminal_prints_a_link_while_no_user_exists(idle: Collector) -> None:
    assert LINK.search(said_on_a_terminal(idle, b"token="))
    idle.verb("users", "add", "ada", stdin=PASSWORD + "\n")
    assert "setup" not in said_on_a_terminal(idle, b"receiving events at")
