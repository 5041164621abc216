"""A fleet of fifty during each attack on the collector, beside the same fleet without one.

    python -m bench attack [--only WORDS] [--rounds 20]

"apart": each client has an address of its own. "together": fleet and attacker have one address, as behind a
proxy that is not named. The time of a request is from the first try to connect to the answer.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from bench import compare
from bench.collector import ROOT, Server
from tests.collector.attacks import all_attacks, attack
from tests.collector.fleet import FleetReport, Origin, run_fleet

QUIET = "no attack"
SHARE_GOAL, P99_GOAL_SECONDS = 0.99, 1.0


def during(name: str, origin: Origin, rounds: int) -> FleetReport:
    """What the fleet sees, of a collector of its own."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        server = Server(f"sqlite:///{Path(folder)}/c.db")
        try:
            with nullcontext() if name == QUIET else attack(server.port, server.key, name, origin):
                return run_fleet(server.port, server.key, rounds=rounds, origin=origin)
        finally:
            server.stop()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench attack")
    parser.add_argument("--only", default="", metavar="WORDS", help="attacks with these words in their name")
    parser.add_argument("--rounds", type=int, default=20, help="requests of each client [20]")
    options = parser.parse_args(argv)
    (ROOT / "build").mkdir(exist_ok=True)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print(f"{'':<40}{'from':<11}{'200':>8}{'p50 ms':>10}{'p99 ms':>10}")
    worst_share, worst_p99 = 1.0, 0.0
    for name in [QUIET, *(name for name in all_attacks("") if options.only in name)]:
        origins: list[Origin] = ["apart", "together"]
        for origin in origins:
            seen = during(name, origin, options.rounds)
            print(f"{name:<40}{origin:<11}{seen.share:>8.2%}{seen.p50 * 1000:>10.1f}{seen.p99 * 1000:>10.1f}")
            worst_share, worst_p99 = min(worst_share, seen.share), max(worst_p99, seen.p99)
    print(compare.goal("share of 200, at worst", worst_share, SHARE_GOAL, at_least=True))
    print(compare.goal("p99 in seconds, at worst", worst_p99, P99_GOAL_SECONDS))
    return 0
