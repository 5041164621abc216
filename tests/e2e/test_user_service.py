"""The heartbeat of one user, under that user's own systemd."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.machine import Machine, booted
from tests.e2e.product import Product, render
from tests.wait import until

pytestmark = pytest.mark.needs("root", "systemd")

USER = "someone"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as one:
        one.run("useradd", "--create-home", "--uid", "1234", USER)
        one.path("/run/user/1234").mkdir(parents=True)
        one.run("chown", USER, "/run/user/1234")
        one.run("systemctl", "start", "user@1234.service")
        yield one


def as_user(machine: Machine, *command: str) -> str:
    home = f"/home/{USER}"
    environ = [f"HOME={home}", "XDG_RUNTIME_DIR=/run/user/1234", "PATH=/usr/bin:/bin"]
    return machine.run("setpriv", "--reuid=1234", "--clear-groups", "env", "-i", *environ, *command)


def test_its_state_is_where_the_verbs_look(machine: Machine) -> None:
    product = Product(machine, "rollcall")
    product.install("")
    product.env.unlink()
    home = f"/home/{USER}"
    as_user(machine, "mkdir", "-p", f"{home}/.config/systemd/user", f"{home}/.config/rollcall")
    unit = machine.path(f"{home}/.config/systemd/user/rollcall.service")
    unit.write_text(render("rollcall-user.service", "rollcall", product.python))
    write = f"echo ROLLCALL_FIRST_DELAY=0 >{home}/.config/rollcall/docker.env"
    as_user(machine, "sh", "-c", write)
    as_user(machine, "systemctl", "--user", "daemon-reload")
    as_user(machine, "systemctl", "--user", "start", "rollcall.service")

    def status() -> dict[str, object]:
        verb = as_user(machine, product.python, "-I", "-m", "agent", "status", "--json")
        found: dict[str, object] = json.loads(verb.splitlines()[-1])
        return found

    until(lambda: status()["lastBeat"] is not None)
    assert status()["stateDir"] == f"{home}/.local/state/rollcall"
    assert status()["nextBeat"] is not None
    as_user(machine, "systemctl", "--user", "stop", "rollcall.service")
