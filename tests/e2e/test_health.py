"""Every kind of ROLLCALL_HEALTH in the service's sandbox, as shipped or by its documented drop-in."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e.machine import Machine, booted
from tests.e2e.product import CHECKOUT, Product
from tests.wait import until

pytestmark = pytest.mark.needs("root", "systemd")

PRODUCT = """[Service]
Type=simple
ExecStart=/bin/sh -c 'echo $$$$ >/run/product.pid; exec /usr/bin/python3 -m http.server 8099 --bind 127.0.0.1'
"""
OFTEN = "ROLLCALL_INTERVAL=1s\nROLLCALL_FIRST_DELAY=0s\nROLLCALL_JITTER=0\nROLLCALL_HEALTH={}\n"
KINDS = [
    "unit:product.service",
    "pidfile:/run/product.pid",
    "process:python3",
    "tcp:127.0.0.1:8099",
    "http://127.0.0.1:8099/",
]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as one:
        one.path("/etc/systemd/system/product.service").write_text(PRODUCT)
        one.run("systemctl", "daemon-reload")
        yield one


def documented(kind: str) -> str | None:
    """The drop-in that docs/operations.md gives for this kind, if it needs one."""
    page = (CHECKOUT / "docs/operations.md").read_text()
    found = re.search(rf"`{kind}:`[^\n]*\n\n```ini\n(.*?)```", page, re.DOTALL)
    return found[1] if found else None


@pytest.mark.parametrize("health", KINDS)
def test_it_beats_while_the_product_is_alive_and_not_else(machine: Machine, health: str) -> None:
    kind = health.partition(":")[0]
    product = Product(machine, f"rollcall-{kind}")
    product.install(OFTEN.format(health))
    if drop_in := documented(kind):
        product.drop_in(drop_in)
    machine.run("systemctl", "stop", "product.service")
    machine.path("/run/product.pid").unlink(missing_ok=True)
    product.start()
    until(lambda: "not alive" in machine.journal(product.unit))
    assert beats(product) == 0
    machine.run("systemctl", "start", "product.service")
    until(lambda: beats(product) > 0, why=f"a beat by {health}")
    machine.run("systemctl", "stop", product.unit, "product.service")


def beats(product: Product) -> int:
    return product.verb("log", "--json").count("Instance Active")
