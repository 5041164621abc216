"""Run files as the wrapper writes them, or as somebody else does."""

from agent.base import ids
from agent.runs.write import FORMAT

RUN = "9f1c2d3e-1111-4222-8333-444455556666"
HEAD = {
    "id": RUN,
    "pid": "1 1",
    "boot": "b",
    "time": "1800000000.000",
    "clock": "100.000",
    "started-id": ids.uuid7(1.8e9),
    "ended-id": ids.uuid7(1.8e9 + 1),
    "support-id": ids.uuid7(1.8e9 + 2),
    "endpoint": "http://127.0.0.1:9",
    "product": "Acme",
    "version": "1.0",
}


def run_text(*lines: str, **head: str) -> str:
    fields = [f"{key} {value}" for key, value in {**HEAD, **head}.items()]
    return "\n".join([FORMAT, *fields, *lines]) + "\n"
