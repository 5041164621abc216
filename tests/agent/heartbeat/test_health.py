"""Is the product alive? Each kind of health, against the real thing."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from agent.heartbeat import health
from agent.heartbeat.health import CHECK_SECONDS, is_alive
from tests import receiver as kit
from tests.deadends import unused_port
from tests.receiver import Receiver, answer
from tests.wait import PATIENCE, until


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers may take as long as a busy machine needs; a test of the limits sets them itself."""
    monkeypatch.setattr(health, "CHECK_SECONDS", PATIENCE)
    monkeypatch.setattr(health, "UNIT_SECONDS", PATIENCE)


def test_nothing_named_is_always_alive() -> None:
    assert is_alive("")


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that lives until its stdin closes."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("text", ["{}", "{}\n", " {} \n", "{}\n/var/lib/postgresql/15/main\n5432\n"])
def test_a_pidfile_is_alive_as_long_as_its_process(
    text: str, tmp_path: Path, child: "subprocess.Popen[bytes]"
) -> None:
    path = tmp_path / "pid"
    path.write_text(text.format(child.pid))

    assert is_alive(f"pidfile:{path}")
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(f"pidfile:{path}"), "a zombie is not alive"
    child.wait()
    assert not is_alive(f"pidfile:{path}")


@pytest.mark.parametrize("text", ["", "\n", "0", "-1", "one", "9" * 30, "4194305", "\xff", "1.5"])
def test_a_pidfile_that_names_no_process_is_not_alive(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_bytes(text.encode("latin-1"))

    assert not is_alive(f"pidfile:{path}")


def test_a_pidfile_that_is_not_there_or_no_file_is_not_alive(tmp_path: Path) -> None:
    assert not is_alive(f"pidfile:{tmp_path}/none")
    assert not is_alive(f"pidfile:{tmp_path}")


def test_a_pidfile_that_hangs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.2)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    began = time.monotonic()

    assert not is_alive(f"pidfile:{path}")
    assert time.monotonic() - began < PATIENCE / 2
    path.open("w").close()


HIDDEN = """
mount -t proc -o hidepid=2 proc /proc
exec "$@"
"""
LOOK = """
import os, sys
sys.path.insert(0, sys.argv[2])
import psutil
from agent.heartbeat.health import _runs
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
pid = int(sys.argv[1])
print(os.path.exists(f"/proc/{pid}"), _runs(pid), _runs(4194304))
"""


@pytest.mark.needs("root", "unshare", "user")
def test_a_pid_that_may_not_be_signalled_or_even_seen_is_alive(child: "subprocess.Popen[bytes]") -> None:
    """As in a sandbox that hides other users' processes."""
    checkout = str(Path(__file__).parents[3])
    look = [sys.executable, "-c", LOOK, str(child.pid), checkout]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", HIDDEN, "sh", *look],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "False True False\n", done.stderr


def test_a_process_is_found_by_its_name(tmp_path: Path) -> None:
    name = f"acme-{os.getpid()}"
    program = tmp_path / name
    shutil.copy(shutil.which("cat") or "/bin/cat", program)

    assert not is_alive(f"process:{name}")
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        until(lambda: is_alive(f"process:{name}"), why="it is seen")
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(f"process:{name}"), "a zombie is not alive"
        process.wait()
    assert not is_alive(f"process:{name}")


def test_a_long_name_is_told_from_one_that_begins_alike(tmp_path: Path) -> None:
    name = "acme-collector-of-long-name"
    program = tmp_path / name
    shutil.copy(shutil.which("cat") or "/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        until(lambda: is_alive(f"process:{name}"), why="it is seen")
        assert not is_alive("process:acme-collector-")
        process.kill()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_is_alive_while_something_listens(host: str) -> None:
    port = unused_port()  # held, so that nobody else listens there afterwards
    with socket.create_server(("127.0.0.1", port)):
        assert is_alive(f"tcp:{host}:{port}")
    assert not is_alive(f"tcp:{host}:{port}")


def test_a_port_of_an_ipv6_address() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert is_alive(f"tcp:[::1]:{server.getsockname()[1]}")


@pytest.mark.parametrize("host", ["nobody.invalid", "." + "x" * 70, "x" * 300])
def test_a_name_that_cannot_be_is_not_alive(host: str) -> None:
    assert not is_alive(f"tcp:{host}:80")


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, True), (204, True), (302, True), (399, True), (400, False), (404, False), (503, False)],
)
def test_a_page_is_alive_below_400(status: int, expected: bool) -> None:
    with Receiver(then=answer(status, {"Location": "http://elsewhere.invalid"})) as receiver:
        assert is_alive(receiver.endpoint) is expected
        assert len(receiver.requests) == 1


def test_a_page_that_drips_for_ever_is_alive_by_its_head() -> None:
    with Receiver(then=kit.drip_body) as receiver:
        assert is_alive(receiver.endpoint)


@pytest.mark.parametrize("deed", [kit.hang, kit.drip_head], ids=["hangs", "drips"])
def test_a_page_that_does_not_answer_is_bounded(deed: kit.Deed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.5)
    with Receiver(then=deed) as receiver:
        began = time.monotonic()
        assert not is_alive(receiver.endpoint)
        assert time.monotonic() - began < PATIENCE / 2


def test_no_look_takes_longer_than_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with Receiver(then=kit.drip_head) as receiver:
        began = time.monotonic()
        assert not is_alive(receiver.endpoint)
        assert CHECK_SECONDS - 0.5 < time.monotonic() - began < 5 * CHECK_SECONDS


def test_a_page_is_asked_without_proxy_and_without_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1\nlogin somebody\npassword secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    with Receiver() as receiver:
        assert is_alive(receiver.endpoint)

    assert "authorization" not in receiver.requests[0].headers


def test_a_page_with_a_certificate_of_our_own_needs_the_ca_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with Receiver(tls=context) as receiver:
        assert not is_alive(receiver.endpoint)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
        assert not is_alive(receiver.endpoint)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert is_alive(receiver.endpoint)


def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A stand-in where no systemd runs; the real one is asked in the tests of the service."""
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_what_may_not_be_signalled_is_told_by_its_status(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert health._runs(child.pid)
    assert health._runs(4194304), "not seen, and yet it refused: it is there"
    monkeypatch.undo()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(os, "kill", refuse)
    assert not health._runs(child.pid), "a zombie is not alive, whosever it is"


@pytest.mark.parametrize(("code", "expected"), [(0, True), (3, False), (4, False)])
def test_a_unit_is_alive_if_systemctl_says_so(
    code: int, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f'echo "$@" > {tmp_path}/asked; echo noise; echo noise >&2; exit {code}'
    systemctl(tmp_path, monkeypatch, script)

    assert is_alive("unit:acme.service") is expected
    assert (tmp_path / "asked").read_text() == "is-active --quiet -- acme.service\n"


def test_without_systemctl_no_unit_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert not is_alive("unit:acme.service")


def test_a_systemctl_that_hangs_is_ended_in_time_and_holds_no_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(health, "UNIT_SECONDS", 0.2)
    systemctl(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; echo noise; exec cat < {tmp_path}/fifo")
    os.mkfifo(tmp_path / "fifo")

    assert not is_alive("unit:acme.service")
    assert not is_alive(f"pidfile:{tmp_path}/pid"), "it is gone"
    assert capfd.readouterr() == ("", "")
