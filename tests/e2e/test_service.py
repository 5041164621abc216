"""The heartbeat under a real systemd."""

import functools
import json
import os
import re
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, booted
from tests.e2e.product import UNITS, Product, render
from tests.wait import until

pytestmark = pytest.mark.needs("root", "systemd")

QUICK = "ROLLCALL_INTERVAL=1h\nROLLCALL_FIRST_DELAY=1h\nROLLCALL_JITTER=0\n"
REFUSAL = "APPSMITH_DISABLE_TELEMETRY=true\n"
SOON = "[Service]\nRestartSec=100ms\n"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as one:
        yield one


@pytest.fixture(scope="module")
def product(machine: Machine) -> Product:
    one = Product(machine, "rollcall")
    one.install(QUICK)
    one.drop_in(SOON)
    one.start()
    return one


@pytest.fixture
def loud(product: Product) -> Iterator[Product]:
    """The product, sending, whatever the last test did to it; drop-ins of a test end with it."""
    product.stop()
    if product.env.is_dir():
        product.env.rmdir()
    product.env.unlink(missing_ok=True)
    product.env.write_text(QUICK)
    product.env.chmod(0o600)
    product.start()
    until(lambda: product.status().startswith("sending"))
    before = drop_ins(product)
    yield product
    for file in drop_ins(product) - before:
        file.unlink()
    product.machine.run("systemctl", "daemon-reload")


def drop_ins(product: Product) -> set[Path]:
    return set(product.machine.path("/etc/systemd/system").glob(f"{product.name}*.d/*"))


def silent(product: Product) -> bool:
    return product.status().startswith("silent")


def sending(product: Product) -> bool:
    return product.status().startswith("sending")


def test_the_units_hold_nothing_that_systemd_does_not_know(loud: Product) -> None:
    units = [loud.unit, f"{loud.name}-env.path", f"{loud.name}-env.service"]
    assert loud.machine.run("systemd-analyze", "verify", *units) == ""
    broken = loud.machine.path("/etc/systemd/system/broken.service")
    broken.write_text("[Service]\nExecStart=/bin/true\nRestartSecs=1\n")
    assert "Unknown key" in loud.machine.run("systemd-analyze", "verify", "broken.service")


def test_the_sandbox_is_tight_and_every_gap_is_explained(loud: Product) -> None:
    report = loud.machine.run("systemd-analyze", "security", "--no-pager", loud.unit)
    score = float(report.split("exposure level for")[1].split(":")[1].split()[0])
    assert score <= 1.2
    unit = render("rollcall.service", "rollcall", "python")
    explained = " ".join(line for line in unit.splitlines() if line.startswith("#"))
    gaps = [line.split()[1] for line in report.splitlines() if line.startswith("✗")]
    assert gaps
    for gap in gaps:
        families = re.findall("INET6|AF_UNIX", gap)
        assert (families or [gap.split("=")[0]])[0] in explained, gap


def test_it_is_ready_at_once_and_says_what_it_does(loud: Product) -> None:
    assert loud.machine.show(loud.unit, "ActiveState") == "active"
    assert loud.status().startswith("sending: no beat yet, next ")


def test_a_docker_env_for_root_alone_is_obeyed(loud: Product) -> None:
    assert loud.env.stat().st_mode & 0o777 == 0o600
    assert json.loads(loud.verb("status", "--json"))["envFile"] == "/etc/rollcall/docker.env"
    kept = json.loads((loud.state / "due.json").read_text())
    assert kept["due"] - kept["boot"] > 3000, "the interval of the file"


def test_it_is_started_again_after_a_kill(loud: Product) -> None:
    before = loud.pid()
    loud.machine.run("systemctl", "kill", "-s", "KILL", loud.unit)
    until(lambda: loud.pid() not in {0, before} and sending(loud))


def test_a_hang_is_ended_by_the_watchdog(loud: Product) -> None:
    loud.drop_in("[Service]\nWatchdogSec=1s\nTimeoutAbortSec=1s\n")
    loud.machine.run("systemctl", "restart", loud.unit)
    before = loud.pid()
    loud.machine.run("systemctl", "kill", "-s", "STOP", loud.unit)
    until(lambda: loud.pid() not in {0, before} and sending(loud))
    assert "atchdog" in loud.machine.journal(loud.unit)


def test_it_reloads_in_place(loud: Product) -> None:
    before = loud.pid()
    loud.machine.run("systemctl", "reload", loud.unit)
    assert loud.pid() == before
    until(lambda: loud.machine.show(loud.unit, "ActiveState") == "active" and sending(loud))


def test_its_lines_in_the_journal_have_priorities_and_fields(loud: Product) -> None:
    loud.env.write_text(QUICK + REFUSAL)
    until(lambda: silent(loud))
    text = loud.machine.journal(loud.unit, "-o", "json", "ROLLCALL_STATE=silent")
    entry = json.loads(text.splitlines()[-1])
    assert entry["PRIORITY"] == "5"
    assert entry["ROLLCALL_RULE"] == "flag"
    assert entry["_SYSTEMD_UNIT"] == loud.unit


def seconds(product: Product, verb: str) -> float:
    began = time.monotonic()
    product.machine.run("systemctl", verb, product.unit)
    return time.monotonic() - began


@pytest.mark.serial
def test_it_stops_at_once(loud: Product) -> None:
    """At once is measured against its own start, which a busy machine makes longer too."""
    stop = seconds(loud, "stop")
    start = seconds(loud, "start")
    print(f"started in {start:.2f} s, stopped in {stop:.2f} s")
    loud.machine.run("systemctl", "stop", loud.unit)
    assert stop < 2 * start
    assert loud.machine.show(loud.unit, "Result") == "success"


def odd(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(env: Path) -> None:
        env.unlink()
        make(env)

    return change


def socket_at(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.open(place.parent, os.O_DIRECTORY)
        sock.bind(f"/proc/self/fd/{here}/{place.name}")
        os.close(here)


ODD_STATES: dict[str, Callable[[Path], None]] = {
    "missing": odd(lambda env: None),
    "a directory": odd(lambda env: env.mkdir()),
    "dangling": odd(lambda env: env.symlink_to("nowhere")),
    "too large": odd(lambda env: env.write_text("#" * 2_000_000)),
    "a socket": odd(socket_at),
    "not text": odd(lambda env: env.write_bytes(b"\xff\xfe=\xff\n")),
}


@pytest.mark.parametrize("state", ODD_STATES)
def test_a_docker_env_that_cannot_be_read_is_a_refusal(loud: Product, state: str) -> None:
    ODD_STATES[state](loud.env)
    loud.machine.run("systemctl", "restart", loud.unit, check=False)
    assert not sending(loud), loud.status()


def vim(env: Path, text: str) -> None:
    env.rename(env.with_name("docker.env~"))
    env.write_text(text)
    env.with_name("docker.env~").unlink()


def rename(env: Path, text: str) -> None:
    env.with_name("new").write_text(text)
    env.with_name("new").rename(env)


def append(env: Path, text: str) -> None:
    """As `>>` would; what was there is emptied first, so that every edit can be told."""
    env.write_text("")
    with env.open("a") as file:
        file.write(text)


@pytest.mark.serial
@pytest.mark.parametrize("save", [vim, rename, append])
def test_ten_quick_edits_are_each_obeyed(loud: Product, save: Callable[[Path, str], None]) -> None:
    restart = seconds(loud, "restart")  # a busy machine makes this longer too
    took = []
    for edit in range(10):
        obeyed = silent if edit % 2 == 0 else sending
        save(loud.env, QUICK + REFUSAL * (edit % 2 == 0))
        began = time.monotonic()
        until(functools.partial(obeyed, loud), why=f"edit {edit} is obeyed")
        took.append(time.monotonic() - began)
    usual = statistics.median(took)
    print(f"obeyed within {max(took):.2f} s, usually {usual:.2f} s; a restart took {restart:.2f} s")
    assert usual < 4 * restart


def test_the_last_of_a_burst_of_edits_wins(loud: Product) -> None:
    inside = "/etc/rollcall/docker.env"
    for burst in range(5):
        lines = ["X_DISABLE_TELEMETRY=1" if (edit + burst) % 2 else "ON=1" for edit in range(10)]
        script = "; ".join(f"sed -i '$ d' {inside}; echo {line} >> {inside}" for line in lines)
        loud.machine.run("sh", "-c", script)
        wanted = sending if lines[-1] == "ON=1" else silent
        until(functools.partial(wanted, loud), why=f"burst {burst} is obeyed")
    assert "Failed with result 'protocol'" not in loud.machine.journal(loud.unit)


EDITED_AS_IT_STARTS = """[Service]
ExecStart=
ExecStart=+/bin/sh -c 'rm /run/edit && echo >>/etc/rollcall/docker.env; exec {python} -I -m agent daemon'
"""


def test_an_edit_while_it_starts_leaves_no_failure_in_the_log(loud: Product) -> None:
    """As the second of two edits within a second does: the copy that systemd made is out of date."""
    loud.drop_in(EDITED_AS_IT_STARTS.format(python=loud.python))
    edit = loud.machine.path("/run/edit")
    edit.touch()
    loud.machine.run("systemctl", "restart", loud.unit, check=False)
    until(lambda: not edit.exists() and sending(loud))
    log = loud.machine.journal(loud.unit)
    assert "docker.env was edited; the service restarts to read it" in log
    assert "Failed with result 'protocol'" not in log


def test_a_stopped_service_is_not_started_by_an_edit(loud: Product) -> None:
    loud.machine.run("systemctl", "stop", loud.unit)
    watcher, key = f"{loud.name}-env.service", "ExecMainExitTimestampMonotonic"
    before = loud.machine.show(watcher, key)
    loud.env.write_text(REFUSAL)
    until(lambda: loud.machine.show(watcher, key) not in {"0", before})
    until(lambda: loud.machine.show(watcher, "ActiveState") == "inactive")
    assert loud.machine.show(loud.unit, "ActiveState") == "inactive"


def test_two_products_live_side_by_side(loud: Product) -> None:
    other = Product(loud.machine, "rollcall-other")
    other.install(QUICK)
    other.start()
    assert sending(other)
    other.env.write_text(REFUSAL)
    until(lambda: silent(other))
    assert sending(loud)
    owners = {one.state.stat().st_uid for one in (loud, other)}
    assert len(owners) == 2
    other.stop()


def test_a_symlink_to_the_products_own_docker_env_is_followed_and_watched(loud: Product) -> None:
    own = loud.machine.path("/srv/app/docker.env")
    own.parent.mkdir()
    own.write_text(QUICK)
    own.chmod(0o600)
    watch = "[Path]\nPathChanged=/srv/app/docker.env\nPathModified=/srv/app/docker.env\n"
    loud.drop_in(watch, f"{loud.name}-env.path")
    loud.env.unlink()
    loud.env.symlink_to("/srv/app/docker.env")
    loud.machine.run("systemctl", "restart", loud.unit, f"{loud.name}-env.path")
    until(lambda: sending(loud), why="it sends, though the watcher may restart it once more")
    own.write_text(QUICK + REFUSAL)
    until(lambda: silent(loud))


def test_a_refusal_counts_in_both_files_where_a_drop_in_names_another(loud: Product) -> None:
    own = loud.machine.path("/srv/own/docker.env")
    own.parent.mkdir()
    own.write_text(QUICK.replace("1h", "2h"))
    own.chmod(0o600)
    loaded = "LoadCredential=docker.env:/srv/own/docker.env"
    source = "Environment=ROLLCALL_CREDENTIAL_SOURCE=/srv/own/docker.env"
    loud.drop_in(f"[Service]\n{loaded}\n{source}\n")
    loud.drop_in(
        "[Path]\nPathChanged=/srv/own/docker.env\nPathModified=/srv/own/docker.env\n",
        f"{loud.name}-env.path",
    )
    loud.stop()
    (loud.state / "due.json").unlink(missing_ok=True)
    loud.start()
    assert sending(loud), "what root left in the machine's own file is read, and is no doubt"
    kept = json.loads((loud.state / "due.json").read_text())
    assert kept["due"] - kept["boot"] > 7000, "the settings of the file that the drop-in names"
    for file, calm in (own, QUICK), (loud.env, QUICK):
        file.write_text(calm + REFUSAL)
        until(lambda: silent(loud))
        file.write_text(calm)
        until(lambda: sending(loud))
    loud.env.unlink()
    loud.machine.run("systemctl", "restart", loud.unit)
    # The watcher may restart it once more for each of these edits.
    until(lambda: sending(loud), why="the machine's own file need not be there")
    own.unlink()
    loud.machine.run("systemctl", "restart", loud.unit)
    until(lambda: silent(loud), why="but the one that was named")


def test_verbs_agree_with_a_service_whose_docker_env_is_gone_before_its_first_beat(loud: Product) -> None:
    for file in loud.state.iterdir():
        file.unlink()  # whatever another test left
    loud.machine.run("systemctl", "restart", loud.unit)
    assert json.loads(loud.verb("status", "--json"))["sending"]
    aside = loud.env.rename(loud.env.with_name("aside"))
    until(lambda: silent(loud))
    for change in ("status", "forget"):
        loud.verb(change)
        found = json.loads(loud.verb("status", "--json"))
        assert (found["sending"], found["rule"], found["source"]) == (
            False,
            "gone",
            "/etc/rollcall/docker.env",
        )
    loud.machine.run("systemctl", "enable", loud.unit)
    said = json.loads(loud.verb("doctor", "--json", check=False))["checks"]
    assert "rollcall.service is installed, and silent" in [one["says"] for one in said], said
    loud.machine.run("systemctl", "disable", loud.unit)
    aside.rename(loud.env)
    until(lambda: sending(loud))
    assert json.loads(loud.verb("status", "--json"))["rule"] == "no-flag"


def test_a_flag_wins_over_a_bad_setting_and_the_service_stays(loud: Product) -> None:
    loud.machine.run("systemctl", "reset-failed", loud.unit)
    loud.env.write_text("ROLLCALL_INTERVAL=soon\n" + REFUSAL)
    until(lambda: silent(loud))
    loud.machine.run("systemctl", "restart", loud.unit)
    before = loud.pid()
    loud.machine.run("systemctl", "reload", loud.unit)
    assert silent(loud)
    assert loud.pid() == before
    assert loud.machine.show(loud.unit, "NRestarts") == "0"


def test_a_bad_setting_is_one_clear_line_and_mended_without_more(loud: Product) -> None:
    loud.env.write_text("ROLLCALL_INTERVAL=soon\n")
    until(lambda: loud.machine.show(loud.unit, "ExecMainStatus") == "2")
    assert "ROLLCALL_INTERVAL" in loud.machine.journal(loud.unit)
    of_children = [f"_SYSTEMD_UNIT={loud.unit}", "_TRANSPORT=stdout"]
    lines = loud.machine.run("journalctl", "-o", "json", *of_children).splitlines()
    assert {json.loads(line)["SYSLOG_IDENTIFIER"] for line in lines} == {"rollcall"}
    until(lambda: int(loud.machine.show(loud.unit, "NRestarts")) > 1)
    loud.env.write_text(QUICK)
    until(lambda: sending(loud))


def test_a_state_that_cannot_be_written_does_not_end_it(loud: Product) -> None:
    loud.stop()
    loud.drop_in("[Service]\nReadOnlyPaths=/var/lib/rollcall\n")
    loud.env.write_text("ROLLCALL_INTERVAL=1s\nROLLCALL_FIRST_DELAY=0s\n")
    loud.machine.run("systemctl", "start", loud.unit)
    before, line = loud.pid(), "cannot use the state directory"
    until(lambda: line in loud.machine.journal(loud.unit))
    loud.machine.run("systemctl", "reload", loud.unit)
    until(lambda: loud.machine.show(loud.unit, "ActiveState") == "active")
    assert loud.pid() == before


def test_a_full_disk_does_not_end_it_and_it_beats_again_when_there_is_room(loud: Product) -> None:
    machine, often = loud.machine, "ROLLCALL_INTERVAL=1s\nROLLCALL_FIRST_DELAY=0s\nROLLCALL_JITTER=0\n"
    loud.stop()
    owner = f"uid={loud.state.stat().st_uid},gid={loud.state.stat().st_gid},mode=750"
    machine.run("mount", "-t", "tmpfs", "-o", f"size=512k,{owner}", "disk", "/var/lib/rollcall")
    machine.run("dd", "if=/dev/zero", "of=/var/lib/rollcall/ballast", "bs=1k", check=False)
    loud.env.write_text(often)
    loud.start()
    until(lambda: re.search("No space left|disk is full", machine.journal(loud.unit)))
    assert machine.show(loud.unit, "ActiveState") == "active"
    machine.run("rm", "/var/lib/rollcall/ballast")
    machine.run("systemctl", "reload", loud.unit)  # or five minutes
    until(lambda: "Instance Active" in loud.verb("log", "--json", check=False))
    assert machine.show(loud.unit, "NRestarts") == "0"
    machine.run("systemctl", "stop", loud.unit)
    machine.run("umount", "/var/lib/rollcall")


def test_every_unit_is_installed_by_these_tests() -> None:
    here = {path.name for path in (Path(__file__).parents[2] / "systemd").iterdir()}
    assert here - set(UNITS) <= {"render", "rollcall-user.service", "rollcall-collector.service"}


def test_a_machine_has_devices_of_its_own(machine: Machine) -> None:
    before = os.stat("/dev/null").st_uid
    machine.run("chown", "23456", "/dev/null")
    assert machine.run("stat", "-c", "%u", "/dev/null") == "23456"
    assert os.stat("/dev/null").st_uid == before
    machine.run("chown", "root", "/dev/null")


def test_nothing_is_left_of_a_machine() -> None:
    with booted() as one:
        process = Path(f"/proc/{one.pid}")
        assert process.exists()
    until(lambda: not process.exists())
