"""Log lines contain no payload."""

from __future__ import annotations

import json
import logging

import pytest

from collector.serve.logs import JsonLines


def read_secret() -> int:
    return int("secret")


def test_a_log_line_says_where_it_broke_and_not_what_was_sent() -> None:
    with pytest.raises(ValueError, match="secret") as broken:
        read_secret()
    at = (broken.type, broken.value, broken.tb)
    record = logging.LogRecord("rollcall", logging.ERROR, __file__, 1, "it %s", ("broke",), at)
    line = JsonLines().format(record)
    assert "secret" not in line
    told = json.loads(line)
    assert (told["level"], told["message"], told["error"]) == ("error", "it broke", "ValueError")
    assert told["where"].startswith("test_logs.py:")
