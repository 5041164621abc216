"""Single sign-on: a proxy says who somebody is, and only a trusted one."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from collector.admin import users
from collector.settings import PREFIX, SettingError, read_settings
from collector.store import Stores
from tests.collector.page.client import PageClient
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import EMAIL, RUN, failed_run
from tests.collector.running import Collector, Reply
from tests.deadends import unused_port
from tests.parts import find
from tests.wait import PATIENCE, until

DOCS = Path(__file__).parents[3] / "docs/collector.md"
PROXY = "10.0.0.7"


@pytest.fixture(autouse=True)
def landed(send: Callable[..., None]) -> None:
    send(*failed_run())


@pytest.fixture
def behind(page_stores: Stores) -> PageClient:
    """A page behind a proxy, with users of whom one has no password."""
    users.add_user(page_stores.control, "ada@example.org", "support", None, 0)
    users.add_user(page_stores.control, "vera", "viewer", PASSWORD, 0)
    users.add_user(page_stores.control, "root", "admin", PASSWORD, 0)
    return PageClient(page_stores, TRUSTED_PROXIES=PROXY, AUTH_HEADER="X-Auth-User")


def test_a_trusted_proxy_says_who_it_is_and_the_user_has_their_role(behind: PageClient) -> None:
    ada = {"peer": PROXY, "x_auth_user": "ada@example.org"}
    assert EMAIL in behind.get("/support", **ada).text
    assert behind.get("/support.json", **ada).json()["waiting"] == 1
    assert behind.get("/signin", **ada).header("location") == "/"
    assert "Sign out" not in behind.get("/", **ada).text
    vera = {"peer": PROXY, "x_auth_user": "vera"}
    assert behind.get("/support", **vera).status == 403
    assert behind.get("/admin", **vera).status == 403
    assert behind.get("/admin", peer=PROXY, x_auth_user="root").status == 200


@pytest.mark.parametrize(
    "told",
    [
        {"peer": "10.0.0.8", "x_auth_user": "root"},
        {"peer": "127.0.0.1", "x_auth_user": "root"},
        {"peer": "10.0.0.8", "x_auth_user": "root", "x_forwarded_for": PROXY},
        {"peer": PROXY, "x_auth_users": "root"},
        {"peer": PROXY, "x_auth_user": ""},
        {"peer": PROXY, "x_auth_user": "root", "X-Auth-User": "vera"},
    ],
    ids=str,
)
def test_the_header_from_elsewhere_or_in_another_form_is_ignored(
    behind: PageClient, told: dict[str, str]
) -> None:
    for path in ("/", "/support", "/admin"):
        assert behind.get(path, **told).header("location").startswith("/signin")
    assert behind.get("/support.json", **told).status == 401


def test_without_the_setting_no_header_counts(page_stores: Stores, viewer: str) -> None:
    client = PageClient(page_stores, TRUSTED_PROXIES=PROXY)
    assert client.get("/", peer=PROXY, x_auth_user=viewer).status == 303


@pytest.mark.parametrize("name", ["nobody", "ADA@example.org", "root\u00a0x", "é", "<b>"])
def test_a_name_that_nobody_added_sees_nothing(behind: PageClient, name: str) -> None:
    reply = behind.get("/", peer=PROXY, x_auth_user=name)
    assert reply.status == 403
    assert "is not a user of this page" in reply.text
    assert "<b> is" not in reply.text
    assert behind.get("/overview.json", peer=PROXY, x_auth_user=name).status == 401


def test_a_name_that_is_not_ascii_is_read_as_utf_8(behind: PageClient, page_stores: Stores) -> None:
    users.add_user(page_stores.control, "Zoë", "viewer", None, 0)
    assert behind.get("/", peer=PROXY, x_auth_user="Zoë").status == 200


def test_who_is_removed_is_out_at_once(behind: PageClient, page_stores: Stores) -> None:
    vera = {"peer": PROXY, "x_auth_user": "vera"}
    assert behind.get("/", **vera).status == 200
    users.remove_user(page_stores.control, "vera", 0)
    assert behind.get("/", **vera).status == 403


def test_forms_of_who_came_by_a_proxy_need_their_token_too(behind: PageClient) -> None:
    ada = {"peer": PROXY, "x_auth_user": "ada@example.org"}
    shown = behind.get("/support", **ada)
    right = {"token": shown.token, "run": RUN, "answered": "yes"}
    assert behind.post("/support", right, **ada).status == 403  # another site sends no cookie
    assert behind.post("/support", {**right, "token": ""}, cookie=shown.cookie, **ada).status == 403
    assert (
        behind.post("/support", right, cookie=shown.cookie, origin="https://evil.example", **ada).status
        == 403
    )
    assert behind.get("/support.json", **ada).json()["waiting"] == 1
    assert behind.post("/support", right, cookie=shown.cookie, **ada).status == 303
    assert behind.get("/support.json", **ada).json()["waiting"] == 0
    assert behind.get("/", cookie=shown.cookie).status == 303  # the cookie alone opens nothing


def test_a_user_without_a_password_signs_in_by_no_password(behind: PageClient) -> None:
    form = behind.get("/signin")
    for password in ("", "None", " "):
        fields = {"token": form.token, "name": "ada@example.org", "password": password}
        assert behind.post("/signin", fields, cookie=form.cookie).status == 403


def test_an_admin_adds_users_without_a_password_where_a_proxy_signs_in(
    behind: PageClient, page_stores: Stores, client: PageClient
) -> None:
    fields = {"action": "add-user", "name": "new", "role": "viewer", "password": "", "again": ""}
    root = {"peer": PROXY, "x_auth_user": "root"}
    shown = behind.get("/admin", **root)
    assert behind.post("/admin", {**fields, "token": shown.token}, cookie=shown.cookie, **root).status == 303
    assert behind.get("/", peer=PROXY, x_auth_user="new").status == 200
    cookie = client.sign_in("root", PASSWORD)
    token = client.get("/admin", cookie=cookie).token
    refused = client.post("/admin", {**fields, "name": "newer", "token": token}, cookie=cookie)
    assert "at least 10 characters" in refused.text


def test_the_first_user_may_be_added_from_behind_the_proxy(page_stores: Stores) -> None:
    behind = PageClient(page_stores, TRUSTED_PROXIES=PROXY, AUTH_HEADER="X-Auth-User")
    ada = {"peer": PROXY, "x_auth_user": "ada"}
    assert behind.get("/", **ada).status == 200  # by the setup link
    fields = {
        "token": behind.get("/setup", **ada).token,
        "name": "ada",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    assert behind.post("/setup", fields, **ada).status == 303
    assert behind.get("/admin", cookie="", **ada).status == 200


def test_the_setting_wants_a_header_and_a_trusted_proxy() -> None:
    told = {PREFIX + "AUTH_HEADER": "X-Auth-User", "HOME": "/x"}
    with pytest.raises(SettingError, match="TRUSTED_PROXIES"):
        read_settings(told)
    told[PREFIX + "TRUSTED_PROXIES"] = "127.0.0.1"
    assert read_settings(told).auth_header == "x-auth-user"
    for wrong in ("X Auth", "X_Auth", "X-Auth:", "é", "-x"):
        with pytest.raises(SettingError, match="the name of a header"):
            read_settings({**told, PREFIX + "AUTH_HEADER": wrong})


def test_a_user_without_a_password_is_added_by_the_verb(idle: Collector) -> None:
    idle.verb("users", "add", "ada", "--role", "support", "--no-password")
    assert idle.verb("users", "list").stdout.startswith("ada\tsupport\t")


class SignOn(BaseHTTPRequestHandler):
    """What oauth2-proxy answers to nginx: who the cookie belongs to, or 401."""

    def do_GET(self) -> None:
        user = SimpleCookie(self.headers.get("Cookie", "")).get("sso")
        self.send_response(202 if user else 401)
        if user:
            self.send_header("X-Auth-Request-User", user.value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Nginx:
    """Debian's nginx with the server block in the docs, in front of a collector."""

    def __init__(self, folder: Path, collector: int, sign_on: int) -> None:
        self.port = unused_port()
        (block,) = re.findall(
            r"```nginx\n(server \{(?:(?!```).)*auth_request.*?)```", DOCS.read_text(), re.DOTALL
        )
        for old, new in (
            ("443 ssl", f"127.0.0.1:{self.port}"),
            (":8787", f":{collector}"),
            (":4180", f":{sign_on}"),
        ):
            assert old in block
            block = block.replace(old, new)
        places = "".join(
            f"{name}_temp_path {folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{places}{block}}}\n"
        )
        command = [find("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(self.answers, why="nginx answers")

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/v1/nothing").status > 0
        except OSError:
            return False

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Reply:
        return ask(self.port, method, path, body, **headers)


def ask(
    port: int, method: str, path: str, body: str = "", source: str = "127.0.0.1", **headers: str
) -> Reply:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(
        HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(source, 0))
    ) as connection:
        connection.request(method, path, body, told)
        return Reply(connection.getresponse())


@pytest.fixture
def proxied(start: Callable[..., Collector], tmp_path: Path) -> Iterator[tuple[Collector, Nginx]]:
    told = {f"{PREFIX}TRUSTED_PROXIES": "127.0.0.1", f"{PREFIX}AUTH_HEADER": "X-Auth-User"}
    collector = start(f"sqlite:///{tmp_path}/collector.db", **told)
    for event in failed_run():
        assert collector.post("/v1/track", event).status == 200
    collector.verb("users", "add", "ada", "--role", "support", "--no-password")
    collector.verb("users", "add", "root", "--role", "admin", "--no-password")
    sign_on = ThreadingHTTPServer(("127.0.0.1", 0), SignOn)
    thread = threading.Thread(target=sign_on.serve_forever)
    thread.start()
    folder = tmp_path / "nginx"
    folder.mkdir()
    nginx = Nginx(folder, collector.port, sign_on.server_port)
    yield collector, nginx
    nginx.process.terminate()
    nginx.process.wait(PATIENCE)
    sign_on.shutdown()
    thread.join(PATIENCE)
    sign_on.server_close()


@pytest.mark.needs("nginx")
def test_behind_nginx_who_signed_in_there_is_signed_in_here_and_nobody_else(
    proxied: tuple[Collector, Nginx],
) -> None:
    collector, nginx = proxied
    assert nginx.ask("GET", "/support").status == 401  # by nginx, which would lead to its own sign-in
    assert nginx.ask("GET", "/support", X_Auth_User="ada").status == 401
    shown = nginx.ask("GET", "/support", Cookie="sso=ada")
    assert shown.status == 200
    assert EMAIL in shown.body.decode()
    assert nginx.ask("GET", "/admin", Cookie="sso=ada").status == 403
    assert nginx.ask("GET", "/admin", Cookie="sso=root").status == 200
    # A browser's own header is replaced, and does not stand beside the proxy's.
    assert nginx.ask("GET", "/admin", Cookie="sso=ada", X_Auth_User="root").status == 403
    assert nginx.ask("GET", "/support", Cookie="sso=ada", X_Auth_User="root").status == 200
    assert nginx.ask("GET", "/", Cookie="sso=nobody").status == 403
    # Past the proxy, from an address that is not trusted, the header is nothing.
    direct = {"X_Auth_User": "ada"}
    assert ask(collector.port, "GET", "/support", source="127.0.0.2", **direct).status == 303
    assert ask(collector.port, "GET", "/support.json", source="127.0.0.2", **direct).status == 401
    assert ask(collector.port, "GET", "/support.json", **direct).status == 200  # as the proxy itself would


@pytest.mark.needs("nginx")
def test_behind_nginx_forms_work_and_clients_send_without_signing_in(
    proxied: tuple[Collector, Nginx],
) -> None:
    collector, nginx = proxied
    shown = nginx.ask("GET", "/support", Cookie="sso=ada")
    cookie = f"sso=ada; {str(shown.headers['Set-Cookie']).partition(';')[0]}"
    token = shown.body.decode().partition('name="token" value="')[2].partition('"')[0]
    form = urlencode({"token": token, "run": RUN, "answered": "yes"})
    assert nginx.ask("POST", "/support", form, Cookie="sso=ada").status == 403
    assert nginx.ask("POST", "/support", form, Cookie=cookie).status == 303
    assert b"answered" in nginx.ask("GET", "/support", Cookie="sso=ada").body
    event = f'{{"event": "x", "userId": "u", "writeKey": "{collector.key}"}}'
    assert nginx.ask("POST", "/v1/track", event, Content_Type="application/json").status == 200


@pytest.mark.needs("nginx")
def test_behind_nginx_the_release_feed_and_the_public_page_need_no_signing_in(
    proxied: tuple[Collector, Nginx],
) -> None:
    """The collector answers, which has none of them here, and not nginx with its 401."""
    _, nginx = proxied
    for path in ("/releases/default.json", "/releases/default.json.minisig"):
        answer = nginx.ask("GET", path)
        assert (answer.status, answer.body) == (404, b"no release feed is published here\n")
    shown = nginx.ask("GET", "/public/default", X_Auth_User="root")
    assert shown.status == 404
    assert b"Nothing is public here." in shown.body
    for path in ("/page.css", "/icon.svg"):
        assert nginx.ask("GET", path).status == 200
    for path in ("/", "/releases", "/releases.json", "/overview.json", "/admin"):
        assert nginx.ask("GET", path, X_Auth_User="root").status == 401
