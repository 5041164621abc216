"""The verb `doctor`: it names what is broken, and says nothing is wrong where nothing is."""

import fcntl
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from agent.config.access import Access
from agent.config.settings import load
from agent.delivery.connections import CONNECTIONS
from agent.outbox.outbox import Outbox
from tests.agent.world import NOW, World, tree
from tests.deadends import unused_port
from tests.receiver import Deed, Receiver, answer, say

UNIT = "root/etc/systemd/system/rollcall.service"
CONNECTED = "connect: the connection was made"
STEPS = ("proxy", "name", "connect", "tls", "endpoint")
HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.fixture
def world(world: World) -> World:
    """A machine on which all is well: a unit that is enabled and runs, and settings."""
    unit, wants = world.path / UNIT, world.path / "root/etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (world.root / "opt").mkdir()
    (world.root / "opt/python").touch()
    unit.write_text("[Service]\nExecStart=/opt/python -I -m agent daemon\n")
    (wants / unit.name).symlink_to(unit)
    world.environ |= {"ROLLCALL_STATE_DIR": str(world.path / "state"), "ROLLCALL_WRITE_KEY": "key"}
    return world


@pytest.fixture
def daemon(world: World) -> Iterator[None]:
    """Whoever holds the lock of the daemon."""
    folder = world.path / "state"
    folder.mkdir()
    with (folder / "daemon.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wrong(world: World) -> list[str]:
    """What doctor finds wrong, as CHECK: WORDS; its exit code says the same."""
    done = world.run("doctor", "--json")
    checks = done.json["checks"]
    assert isinstance(checks, list)
    found = [f"{check['check']}: {check['says']}" for check in checks if check["state"] == "wrong"]
    assert (done.code, done.json["ok"], done.err) == (int(bool(found)), not found, "")
    return found


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    "deed",
    [answer(200), answer(400), answer(200, {"Date": formatdate(NOW + 100)}), answer(200, HTML, b"ok")],
    ids=range(4),
)
def test_nothing_is_wrong_where_all_is_well(world: World, deed: Deed) -> None:
    with Receiver(then=deed) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        assert wrong(world) == []
        assert [request.batch for request in receiver.requests] == [[]]


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        (answer(401), "401 Unauthorized: check the write key"),
        (answer(403), "403 Forbidden: check the write key"),
        (answer(404), "404 Not Found: check ROLLCALL_ENDPOINT"),
        (answer(302, {"Location": "http://sign.in/"}), "302 Found: check ROLLCALL_ENDPOINT; redirects"),
        (answer(407), "407 Proxy Authentication Required: the proxy wants a user"),
        (answer(429), "429 Too Many Requests"),
        (answer(503), "503 Service Unavailable"),
        (answer(200, HTML, b"<html>"), "a web page answers in its place"),
        (say(b"SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not HTTP"),
        (say(b""), "the connection was closed without an answer"),
    ],
    ids=range(10),
)
def test_an_endpoint_that_takes_no_events_is_named(world: World, deed: Deed, expected: str) -> None:
    with Receiver(then=deed) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        (found,) = wrong(world)
    assert found.startswith(f"endpoint: {receiver.endpoint}: ")
    assert expected in found


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    "proxy", ["http://[1:2]:3128", "http://user:pass[word@127.0.0.1:9", "http://127.0.0.1:x"], ids=range(3)
)
def test_a_proxy_of_the_environment_that_is_no_url_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    world.environ["ROLLCALL_ENDPOINT"] = "http://nobody.invalid"
    done = world.run("doctor", "--json")
    checks = done.json["checks"]
    assert isinstance(checks, list)
    steps = [one["check"] for one in checks]
    assert (done.code, "HTTP_PROXY" in done.out, "pass[word" in done.out) == (1, True, False)
    assert {"proxy", "name", "connect"}.isdisjoint(steps)


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("date", ["Fri, 15 Jan 2027 08:00:00 -0000", "Fri Jan 15 08:00:00 2027"])
def test_a_date_without_a_zone_is_gmt(world: World, monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    with monkeypatch.context() as tokyo, Receiver(then=answer(200, {"Date": date})) as receiver:
        tokyo.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        found = wrong(world)
    time.tzset()
    assert found == []


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(("ahead", "way"), [(86400, "ahead of"), (-86400, "behind")])
def test_a_clock_off_by_a_day_is_named(world: World, ahead: int, way: str) -> None:
    with Receiver(then=answer(200, {"Date": formatdate(NOW - ahead)})) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        assert wrong(world) == [f"clock: it is 86400 s {way} the endpoint's: set this machine's clock"]


def no_listener(world: World) -> None:
    world.environ["ROLLCALL_ENDPOINT"] = f"http://127.0.0.1:{unused_port()}"


def no_name(world: World) -> None:
    world.environ["ROLLCALL_ENDPOINT"] = "http://nobody.invalid"


def no_proxy_there(world: World) -> None:
    no_name(world)
    world.environ["ROLLCALL_PROXY"] = f"http://127.0.0.1:{unused_port()}"


def plain_for_tls(world: World) -> None:
    world.environ["ROLLCALL_ENDPOINT"] = "https://127.0.0.1:9"
    (world.path / "ca.pem").write_text("no certificate")
    world.environ["ROLLCALL_CA_FILE"] = str(world.path / "ca.pem")


def no_key(world: World) -> None:
    world.environ |= {
        "ROLLCALL_ENDPOINT": "http://127.0.0.1:9",
        "ROLLCALL_WRITE_KEY": "",
        "DO_NOT_TRACK": "1",
    }


def bad_setting(world: World) -> None:
    world.environ["ROLLCALL_INTERVAL"] = "soon"


def no_key_file(world: World) -> None:
    world.environ |= {"ROLLCALL_WRITE_KEY": "", "ROLLCALL_WRITE_KEY_FILE": "/nowhere/key"}


def empty_key_file(world: World) -> None:
    (world.path / "key").touch()
    world.environ |= {"ROLLCALL_WRITE_KEY": "", "ROLLCALL_WRITE_KEY_FILE": str(world.path / "key")}


def open_env_file(world: World) -> None:
    world.env_file("ROLLCALL_PRODUCT=Shop\n").chmod(0o666)


def unparsable_env_file(world: World) -> None:
    world.env_file("ROLLCALL_PRODUCT='Shop\n")


def doubled_flag(world: World) -> None:
    world.env_file("DO_NOT_TRACK=0\nDO_NOT_TRACK=0\n")


def masked(world: World) -> None:
    (world.path / UNIT).unlink()
    (world.path / UNIT).symlink_to("/dev/null")


def drifted(world: World) -> None:
    (world.path / UNIT).write_text("[Service]\nExecStart=/opt/old/python -m agent daemon\n")


def edited(world: World) -> None:
    """A service, and a unit beside it with the drop-in of install.sh, one of which was edited."""
    folder, noted = (world.path / UNIT).parent, world.root / "opt/rollcall/units.sha256"
    drop_in = folder / "rollcall-env.path.d/env-file.conf"
    for path in (drop_in, noted):
        path.parent.mkdir()
    (folder / "rollcall-env.path").write_text("[Path]\n")
    drop_in.write_text("[Path]\nPathChanged=/a\n")
    text = (world.path / UNIT).read_text() + "[Path]\n[Path]\nPathChanged=/a\n"
    noted.write_text(sha256(text.encode()).hexdigest() + "\n")
    assert wrong(world) == []
    drop_in.write_text("[Path]\nPathChanged=/b\n")


def empty_unit(world: World) -> None:
    (world.path / UNIT).write_text("")


def not_enabled(world: World) -> None:
    (world.root / "etc/systemd/system/multi-user.target.wants/rollcall.service").unlink()


def old_clock(world: World) -> None:
    world.now = 1_000.0


def damaged_id(world: World) -> None:
    (world.path / "state/instance.json").write_text("{")


def damaged_outbox(world: World) -> None:
    (world.path / "state/outbox.db").write_text("this is no database, and never was one" * 99)


def outbox_set_aside(world: World) -> None:
    (world.path / "state/outbox.db.damaged").touch()


def other_endpoint(world: World) -> None:
    world.environ["ROLLCALL_ENDPOINT"] = f"http://127.0.0.1:{unused_port()}"
    world.run("beat")
    world.environ["ROLLCALL_ENDPOINT"] = "http://127.0.0.1:1"
    world.environ["DO_NOT_TRACK"] = "1"


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("breaks", "expected"),
    [
        (no_listener, r"the endpoint: Connection refused; check ROLLCALL_ENDPOINT"),
        (no_name, r"the endpoint: its name could not be resolved; check ROLLCALL_ENDPOINT"),
        (no_proxy_there, r"the proxy: Connection refused; check ROLLCALL_PROXY"),
        (plain_for_tls, r"the CA file of ROLLCALL_CA_FILE cannot be used"),
        (no_key, r"settings: no write key is set"),
        (bad_setting, r"settings: ROLLCALL_INTERVAL .the environment. is not valid"),
        (no_key_file, r"settings: ROLLCALL_WRITE_KEY_FILE .the environment. is not valid"),
        (empty_key_file, r"settings: ROLLCALL_WRITE_KEY_FILE .* only the key in it"),
        (open_env_file, r"docker.env: .*/docker.env is not used, .* chmod go-w"),
        (unparsable_env_file, r"sending: no, .* cannot be parsed .*docker.env:1.: mend the file"),
        (doubled_flag, r"sending: no, .* more than once .*docker.env:2.: mend the file"),
        (masked, r"service: it is masked: systemctl unmask rollcall.service"),
        (drifted, r"service: .* starts /opt/old/python, which does not exist: run install.sh again"),
        (edited, r"service: a unit was edited: move the change to a drop-in .systemctl edit rollcall."),
        (empty_unit, r"service: .* starts nothing, which does not exist"),
        (not_enabled, r"service: it does not start with the machine: systemctl enable"),
        (old_clock, r"clock: it is before 2025"),
        (damaged_id, r"state: .*instance.json is damaged"),
        (damaged_outbox, r"outbox: "),
        (outbox_set_aside, r"state: an outbox was damaged"),
        (other_endpoint, r"outbox: 1 event is waiting for another endpoint: rollcall export"),
    ],
)
def test_what_is_broken_is_named_and_nothing_else(
    world: World, breaks: Callable[[World], None], expected: str
) -> None:
    assert wrong(world) == []
    breaks(world)
    before = tree(world.path)
    (found,) = wrong(world)
    assert re.search(expected, found), found
    assert tree(world.path) == before


def test_a_daemon_that_never_ran_or_runs_no_more_is_named(world: World) -> None:
    assert wrong(world) == ["service: it never ran: systemctl restart rollcall.service"]
    (world.path / "state").mkdir()
    (world.path / "state/daemon.lock").touch()
    assert wrong(world) == ["service: it does not run: journalctl -u rollcall.service says why"]


def test_what_a_failed_delivery_left_is_named(world: World) -> None:
    (world.path / UNIT).unlink()
    no_listener(world)
    world.run("beat")
    found = wrong(world)
    assert [line.partition(":")[0] for line in found] == ["delivery", "endpoint"]
    assert "1 event is waiting, since 2027" in world.run("doctor").out


def test_a_flag_is_a_choice_and_nothing_is_asked(world: World) -> None:
    (world.path / UNIT).unlink()
    with Receiver() as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        assert wrong(world) == []
        assert len(receiver.requests) == 1
        world.environ["DO_NOT_TRACK"] = "1"
        assert wrong(world) == []
        assert len(receiver.requests) == 1


def test_it_lists_every_connection_and_where_each_leads(world: World) -> None:
    world.environ |= {
        "DO_NOT_TRACK": "1", "ROLLCALL_ENDPOINT": "https://t.example", "ROLLCALL_HEALTH": "tcp:127.0.0.1:80",
    }  # fmt: skip
    listed = world.run("doctor", "--json").json["connections"]
    assert isinstance(listed, list)
    assert [kind["name"] for kind in listed] == [kind.name for kind in CONNECTIONS]
    assert str(listed[0]["to"]).startswith("https://t.example/v1/batch through the proxy")
    assert [kind["to"] for kind in listed[1:5]] == [None, None, "tcp:127.0.0.1:80", None]
    shown = world.run("doctor").out
    assert all(kind.name in shown for kind in CONNECTIONS)


def test_a_proxy_is_named_by_its_setting_and_not_by_its_password() -> None:
    settings = load({"ROLLCALL_ENDPOINT": "https://t.example"}, [])
    leads = CONNECTIONS[0].target(settings, Access(proxy="http://me:hunter2@proxy:3128"))
    assert leads == "https://t.example/v1/batch through the proxy that ROLLCALL_PROXY names"


def test_what_stands_behind_the_address_of_the_health_check_is_not_shown(world: World) -> None:
    world.environ |= {"DO_NOT_TRACK": "1", "ROLLCALL_HEALTH": "http://127.0.0.1:9/health?token=hunter2"}
    shown = world.run("doctor").out + world.run("doctor", "--json").out
    assert "http://127.0.0.1:9/health" in shown
    assert "hunter2" not in shown


def test_a_full_disk_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.path / UNIT).unlink()
    Path(world.state.path).mkdir()
    assert wrong(world) == []
    monkeypatch.setattr("agent.outbox.pending.LEAST_FREE_BYTES", 2**62)
    assert wrong(world) == [f"disk: the disk is full, so nothing can be stored: {world.state.path}"]


@pytest.mark.usefixtures("daemon")
def test_a_foreign_issuer_is_named(world: World) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Receiver(tls=context) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        (found,) = wrong(world)
        assert "its certificate is not trusted" in found
        assert CONNECTED in right(world)
        assert not [check for check in right(world) if check.startswith("tls")]
        assert "name the issuer's certificate in ROLLCALL_CA_FILE" in found
        authority.cert_pem.write_to_path(str(world.path / "ca.pem"))
        world.environ["ROLLCALL_CA_FILE"] = str(world.path / "ca.pem")
        assert wrong(world) == []
        names = [check for check in right(world) if check.partition(":")[0] in STEPS]
    port = receiver.endpoint.rpartition(":")[2]
    connect, tls, last = names
    assert (connect, last.partition(":")[0]) == (f"connect: 127.0.0.1 port {port}", "endpoint")
    assert re.fullmatch(r"tls: TLSv1\.\d, issued by trustme v.*, until .* GMT", tls), tls


def right(world: World) -> list[str]:
    checks = world.run("doctor", "--json").json["checks"]
    assert isinstance(checks, list)
    return [f"{check['check']}: {check['says']}" for check in checks if check["state"] == "ok"]


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("endpoint", "proxied", "steps"),
    [
        ("http://localhost:1", False, ["name: localhost is known"]),
        ("http://nobody.invalid", False, []),
        ("http://localhost:{port}", False, ["name: localhost is known", CONNECTED]),
        ("http://nobody.invalid", True, ["proxy: the one that ROLLCALL_PROXY names", CONNECTED]),
    ],
    ids=["refused", "no name", "no HTTP", "no HTTP from the proxy"],
)  # fmt: skip
def test_how_far_it_came_is_told_step_by_step(
    world: World, endpoint: str, proxied: bool, steps: list[str]
) -> None:
    with Receiver(then=say(b"SSH-2.0\r\n")) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = endpoint.format(port=receiver.endpoint.rpartition(":")[2])
        if proxied:
            world.environ["ROLLCALL_PROXY"] = receiver.endpoint
        assert len(wrong(world)) == 1
        assert [check for check in right(world) if check.partition(":")[0] in STEPS] == steps


@pytest.mark.usefixtures("daemon")
def test_a_proxy_with_a_wrong_password_is_named_without_it(world: World) -> None:
    with Receiver(then=answer(407)) as proxy:
        world.environ |= {
            "ROLLCALL_ENDPOINT": "https://t.example",
            "ROLLCALL_PROXY": proxy.endpoint.replace("://", "://me:hunter2@"),
        }
        (found,) = wrong(world)
    assert "the proxy: 407; it wants a user and a password" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("lock", [False, True], ids=["it never held its lock", "it let go of its lock"])
def test_a_service_that_is_silent_is_no_alarm(world: World, lock: bool) -> None:
    if lock:
        (world.path / "state").mkdir()
        (world.path / "state/daemon.lock").touch()
    world.environ["DO_NOT_TRACK"] = "1"
    assert wrong(world) == []
    assert "service: rollcall.service is installed, and silent" in right(world)
    not_enabled(world)
    assert wrong(world) == ["service: it does not start with the machine: systemctl enable rollcall.service"]


def test_a_docker_env_that_is_gone_is_named_and_the_silent_service_is_not(world: World) -> None:
    file = world.env_file("ROLLCALL_PRODUCT=Shop\n")
    world.run("beat")
    file.unlink()
    (found,) = wrong(world)
    assert found.startswith("sending: no, a docker.env that was read before is missing")
    assert found.endswith("bring it back, or if it is gone for good: rollcall enable")
    world.run("enable")
    (found,) = wrong(world)
    assert found.startswith("service: it ")


def test_one_lost_event_is_counted_as_one_and_two_as_two(world: World) -> None:
    (world.path / UNIT).unlink()
    for number in range(1, 3):
        world.run("beat")
        world.run("beat")
        with closing(Outbox(world.state)) as box:
            box.settle([2 * number - 1], "rejected")
            box.settle([2 * number], "dropped")
        some = ("1 event", "1 event was") if number == 1 else ("2 events", "2 events were")
        assert wrong(world) == [
            f"outbox: the endpoint rejected {some[0]}: rollcall log says why",
            f"outbox: {some[1]} dropped: too many waited, or a file was gone",
        ]
