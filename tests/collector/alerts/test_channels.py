"""The file of channels, and sending to them with the real library."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from collector.alerts.channels import Channel, ChannelError, read_channels, send_to
from tests.collector.alerts.conftest import Sink, channel_file
from tests.collector.running import Collector
from tests.deadends import unused_port

SECRET = "s3cret-token"


def test_a_message_arrives_with_its_title_and_text(tmp_path: Path, sink: Sink) -> None:
    (channel,) = read_channels(str(channel_file(tmp_path, sink.url)))
    assert (channel.number, channel.kind) == (2, "json")
    assert send_to(channel, "begun", "the title", "the <b>text</b>\nhttps://rollcall.example/")
    assert sink.titles == ["the title"]
    assert sink.texts == ["the <b>text</b>\nhttps://rollcall.example/"]


def test_a_service_that_is_not_there_takes_nothing_and_no_log_or_text_has_its_url(
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = Channel(1, "json", f"json://user:{SECRET}@127.0.0.1:{unused_port()}/")
    caplog.set_level(logging.INFO)
    assert not send_to(channel, "begun", "title", "text")
    assert "127.0.0.1" not in caplog.text + repr(channel)
    assert SECRET not in caplog.text + repr(channel)
    logging.getLogger("apprise").disabled = False
    assert not send_to(channel, "begun", "title", "text")
    logging.getLogger("apprise").disabled = True
    assert caplog.text  # it would have said something


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, sink: Sink, mode: int) -> None:
    with pytest.raises(ChannelError, match="chmod 600"):
        read_channels(str(channel_file(tmp_path, sink.url, mode=mode)))
    assert read_channels(str(channel_file(tmp_path, sink.url, mode=0o440)))


@pytest.mark.needs("root")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, sink: Sink) -> None:
    file = channel_file(tmp_path, sink.url)
    os.chown(file, 12345, 12345)
    with pytest.raises(ChannelError, match="must belong to root"):
        read_channels(str(file))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((f"nonsense://{SECRET}",), "line 2 of .* must be a URL that apprise knows"),
        ((), "holds 0 URLs"),
        ((f"json://{SECRET}/",) * 21, "holds 21 URLs"),
    ],
)
def test_a_wrong_file_is_told_by_the_line_and_never_by_its_text(
    tmp_path: Path, lines: tuple[str, ...], why: str
) -> None:
    with pytest.raises(ChannelError, match=why) as told:
        read_channels(str(channel_file(tmp_path, *lines)))
    assert SECRET not in str(told.value)
    with pytest.raises(ChannelError, match="cannot be read: No such file"):
        read_channels(str(tmp_path / "missing"))


@pytest.mark.once
def test_the_verb_says_which_channel_took_the_test(idle: Collector, tmp_path: Path, sink: Sink) -> None:
    assert "ALERTS_FILE is not set" in idle.verb("alerts", "test", code=1).stderr
    idle.settings["ROLLCALL_COLLECTOR_ALERTS_FILE"] = str(channel_file(tmp_path, sink.url))
    assert "line 2 (json): sent" in idle.verb("alerts", "test").stderr
    assert sink.titles == ["Rollcall: a test"]
    dead = f"json://127.0.0.1:{unused_port()}/{SECRET}"
    channel_file(tmp_path, sink.url, dead)
    told = idle.verb("alerts", "test", code=1).stderr
    assert "line 3 (json): not taken" in told
    assert "1 of 2 channels did not take the message" in told
    assert SECRET not in told
