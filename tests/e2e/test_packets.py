"""Off is silent, counted by the kernel: not a packet from the service while it is silent."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.agent.updates.signing import Vendor, feed
from tests.e2e.machine import Machine, booted
from tests.e2e.product import Product
from tests.wait import until

pytestmark = pytest.mark.needs("root", "systemd", "nft")

NETWORK = """
ip link add wan type veth peer name far
ip addr add 192.0.2.2/24 dev wan
ip link set wan up
ip link set far up
ip route add default via 192.0.2.1
nft add table inet count
nft 'add chain inet count out { type filter hook output priority 0; }'
"""
LOUD = """
ROLLCALL_ENDPOINT=http://198.51.100.7
ROLLCALL_INTERVAL=1s
ROLLCALL_FIRST_DELAY=0s
ROLLCALL_JITTER=0
"""
REFUSAL = "DO_NOT_TRACK=1\n"
VENDOR = Vendor()
FEED = f"""
ROLLCALL_PRODUCT=Shop
ROLLCALL_PRODUCT_VERSION=1.0
ROLLCALL_UPDATES_URL=http://198.51.100.7/feed.json
ROLLCALL_UPDATES_KEY={VENDOR.public}
ROLLCALL_FIRST_DELAY=0s
"""
QUESTION = ("flush", "--report", "--budget", "0", "--feed")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted() as one:
        one.run("sh", "-euc", NETWORK)
        yield one


def counted(product: Product) -> int:
    """Packets of the service's user, over all its life."""
    rules = json.loads(product.machine.run("nft", "-j", "list", "chain", "inet", "count", "out"))
    counters = [part for item in rules["nftables"] for part in item.get("rule", {}).get("expr", [])]
    return sum(part["counter"]["packets"] for part in counters if "counter" in part)


def accounted(product: Product) -> int:
    """Bytes of the unit, as systemd counts them."""
    keys = ("IPEgressBytes", "IPIngressBytes")
    return sum(int(product.machine.show(product.unit, key)) for key in keys)


def test_silence_is_silence_to_the_packet(machine: Machine) -> None:
    product = Product(machine, "rollcall")
    product.install(LOUD + REFUSAL)
    uid = machine.run("id", "-u", product.name)
    assert re.fullmatch("[0-9]+", uid)
    machine.run("nft", "flush", "chain", "inet", "count", "out")
    machine.run("nft", "add", "rule", "inet", "count", "out", "meta", "skuid", uid, "counter")

    product.start()
    assert product.status().startswith("silent")
    looks = machine.show(product.unit, "CPUUsageNSec")
    machine.run("systemctl", "reload", product.unit)
    until(lambda: machine.show(product.unit, "CPUUsageNSec") != looks)
    for _ in range(3):
        product.verb("beat")
        product.verb("flush")
    machine.run("systemctl", "restart", product.unit)
    assert product.status().startswith("silent")
    assert not (product.state / "outbox.db").exists()
    assert (counted(product), accounted(product)) == (0, 0)
    machine.run("systemctl", "stop", product.unit)
    assert counted(product) == 0

    product.env.write_text(LOUD)
    machine.run("systemctl", "start", product.unit)
    until(lambda: counted(product) > 0, why="the counter moves when it is loud")
    until(lambda: accounted(product) > 0, why="systemd's does too")

    product.env.write_text(LOUD + REFUSAL)
    until(lambda: product.status().startswith("silent"))
    before = counted(product)
    machine.run("systemctl", "reload", product.unit)
    machine.run("systemctl", "stop", product.unit)
    assert counted(product) == before


def test_the_release_feed_is_asked_for_only_where_it_may_to_the_packet(machine: Machine) -> None:
    """The question is what the daemon's child does at its time of day. There is no endpoint."""
    product = Product(machine, "rollcall-feed", extra="sealed")
    product.install(FEED)
    uid = machine.run("id", "-u", product.name)
    assert re.fullmatch("[0-9]+", uid)
    machine.run("nft", "flush", "chain", "inet", "count", "out")
    machine.run("nft", "add", "rule", "inet", "count", "out", "meta", "skuid", uid, "counter")
    VENDOR.publish(machine.path("/root"), feed())
    product.start()
    until(lambda: product.status().startswith("sending: last beat"))
    product.verb("updates", "import", "/root/feed.json", check=False)
    machine.run("systemctl", "reload", product.unit)
    until(lambda: "critical advisory SHOP-2026-1" in product.status())
    machine.run("systemctl", "reload", product.unit)
    warnings = machine.journal(product.unit, "-p", "warning").splitlines()
    assert [line for line in warnings if "SHOP-2026-1" in line] == [
        "critical advisory SHOP-2026-1 (fixed in 1.4.2); see: rollcall-feed updates"
    ]
    for quiet in (
        FEED + REFUSAL,
        FEED + "ROLLCALL_UPDATES=false\n",
        FEED.replace("ROLLCALL_UPDATES_URL", "#"),
        FEED.replace("ROLLCALL_UPDATES_KEY", "#"),
    ):
        product.env.write_text(quiet)
        assert '"feedIn": null' in product.verb(*QUESTION)
        machine.run("systemctl", "restart", product.unit)
        assert counted(product) == 0
    product.env.write_text(FEED)
    assert '"feedIn": null' not in product.verb(*QUESTION)
    assert counted(product) > 0
    assert "advisory SHOP-2026-1 (critical)" in product.verb("status")
