"""Run files as the wrapper writes them, or as somebody else does."""

from agent.runs.write import FORMAT

RUN = "9f1c2d3e-1111-4222-8333-444455556666"
HEAD = {
    "id": RUN,
    "pid": "1 1",
    "boot": "b",
    "time": "1800000000.000",
    "clock": "100.000",
    "started-id": "01a3185c-5000-746d-9f15-dd6c2239f3fd",
    "ended-id": "01a3185c-53e8-79ac-84cd-8c862f3dbdd0",
    "support-id": "01a3185c-57d0-70d0-adf6-e554ebbd6a32",
    "endpoint": "http://127.0.0.1:9",
    "product": "Acme",
    "version": "1.0",
}


def run_text(*lines: str, **head: str) -> str:
    fields = [f"{key} {value}" for key, value in {**HEAD, **head}.items()]
    return "\n".join([FORMAT, *fields, *lines]) + "\n"
