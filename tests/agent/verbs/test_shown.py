"""What a newer catalogue adds is not sent until the operator was shown it."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.events import catalogue
from agent.events.shown import FIRST, NEWEST, read_shown
from tests.agent.world import World
from tests.receiver import Receiver
from tests.wait import until

ROOT = Path(__file__).parents[3]
ID = "11111111-2222-4333-8444-555555555555"


def upgraded(world: World) -> World:
    """An installation that an older release made: it has an id, and no note of what was shown."""
    world.environ["ROLLCALL_STATE_DIR"] = str(world.path / "state")
    world.state.make()
    Path(world.state.id).write_text(json.dumps({"instanceId": ID, "machine": None}))
    return world


def seen(receiver: Receiver) -> list[dict[str, Any]]:
    return [dict(event) for request in receiver.requests for event in request.batch]


def test_wrap_leaves_out_what_is_new_until_preview_has_shown_it(world: World) -> None:
    upgraded(world)
    world.environ |= {"ROLLCALL_ENVIRONMENT": "ci", "ROLLCALL_WRITE_KEY": "k"}
    with Receiver() as receiver:

        def wrapped(count: int) -> list[Any]:
            assert world.process("wrap", "--", "true", ROLLCALL_ENDPOINT=receiver.endpoint).code == 0
            until(lambda: len(receiver.ids) == count, why="both events of the run have arrived")
            runs = [event["context"]["installation"] for event in seen(receiver)[-2:]]
            return [run.get("environment") for run in runs]

        assert wrapped(2) == [None, None], "a notice of one line has not shown it"
        status = world.run("status").out
        assert "context.installation.environment" in status
        assert "preview --new" in status
        assert world.run("preview", "Instance Active").err == ""
        assert wrapped(4) == [None, None], "that preview has not shown it either"
        new = world.run("preview", "--new")
        assert "new: context.installation.environment in all installation events" in new.err
        assert wrapped(6) == ["ci", "ci"]
        assert "not sent yet" not in world.run("status").out


@pytest.mark.parametrize("words", [("beat",), ("track", "Shop Opened")])
def test_beat_and_track_leave_out_what_is_new_until_shown(
    world: World, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """As if `context.library` were new, which all events carry."""
    fields = [
        dataclasses.replace(field, since=NEWEST) if field.path == ("context", "library") else field
        for field in catalogue.FIELDS
    ]
    monkeypatch.setattr(catalogue, "FIELDS", fields)
    upgraded(world).environ |= {"ROLLCALL_USAGE_TELEMETRY": "true", "ROLLCALL_WRITE_KEY": "k"}
    with Receiver() as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        for _ in ("before", "after"):
            assert world.run(*words).code == 0
            assert world.run("flush").code == 0
            assert world.run("preview").code == 0
        before, after = (event["context"] for event in seen(receiver))
    assert "library" not in before
    assert after["library"] == catalogue.LIBRARY


def test_an_event_that_is_new_is_not_recorded_until_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [dataclasses.replace(kind, since=NEWEST) for kind in catalogue.CATALOGUE]
    monkeypatch.setattr(catalogue, "CATALOGUE", kinds)
    origin = upgraded(world).app().origin(ID)
    with pytest.raises(catalogue.NotInCatalogue, match="was not shown it"):
        catalogue.build(catalogue.ACTIVE, {"instanceId": ID}, origin, timestamp=0)
    assert [one["event"] for one in json.loads(world.run("preview", "--new").out)] == list(catalogue.NAMES)
    assert catalogue.build(catalogue.ACTIVE, {"instanceId": ID}, world.app().origin(ID), timestamp=0)


def test_preview_new_shows_just_what_is_new_and_once(world: World) -> None:
    upgraded(world)
    shown = json.loads(world.run("preview", "--new").out)
    assert shown[0] == {
        "event": "Installation Started",
        "context": {"installation": {"environment": "ci"}},
    }
    assert shown[2]["properties"] == {"commandExitCode": 22}
    assert "Instance Active" not in [one["event"] for one in shown]
    again = world.run("preview", "--new")
    assert (again.out, again.err) == ("[]\n", "")
    assert json.loads(world.run("preview", "--new", "Instance Active").out) == {}


def test_a_new_installation_begins_with_the_newest_catalogue(world: World) -> None:
    world.run("beat")
    assert Path(world.state.shown).read_text() == f"{NEWEST}\n"
    assert world.run("preview", "--new").out == "[]\n"


def test_a_notice_of_an_older_release_that_made_no_id_showed_the_first_catalogue(world: World) -> None:
    world.state.make()
    assert read_shown(world.state) == NEWEST
    Path(world.state.notice).touch()
    assert read_shown(world.state) == FIRST
    world.run("beat")
    assert read_shown(world.state) == FIRST
    assert "new: " in world.run("preview").err
    assert read_shown(world.state) == NEWEST


@pytest.mark.parametrize("text", ["", "x", "99999999999999999999999", "-3", "1.5"])
def test_a_damaged_note_counts_as_the_first_version(world: World, text: str) -> None:
    Path(upgraded(world).state.shown).write_text(text)
    assert read_shown(world.state) == FIRST


def test_while_off_preview_shows_what_is_new_but_notes_nothing(world: World) -> None:
    upgraded(world)
    before = sorted(os.listdir(world.state.path))
    world.environ["DO_NOT_TRACK"] = "1"
    assert "none of this is sent" in world.run("preview").err
    assert sorted(os.listdir(world.state.path)) == before
    del world.environ["DO_NOT_TRACK"]
    assert world.run("preview").err.count("new: ") == 5
    assert sorted(os.listdir(world.state.path)) == sorted([*before, "catalogue-shown"])


def test_a_preview_that_nobody_sees_shows_nothing(world: World) -> None:
    upgraded(world)
    command, nowhere = [sys.executable, "-m", "agent", "preview"], subprocess.DEVNULL
    for err, shown in ((nowhere, FIRST), (subprocess.PIPE, NEWEST)):
        subprocess.run(command, env=world.real_environ(), cwd=ROOT, check=True, stdout=nowhere, stderr=err)
        assert read_shown(world.state) == shown


def test_what_cannot_be_noted_is_said_and_stays_unsent(world: World) -> None:
    os.mkdir(upgraded(world).state.shown)
    done = world.run("preview")
    assert (done.code, "still not sent" in done.err) == (0, True)
    assert read_shown(world.state) == FIRST


def test_forget_does_not_make_what_is_new_known(world: World) -> None:
    upgraded(world)
    assert world.run("forget").code == 0
    world.run("beat")
    assert read_shown(world.state) == FIRST
    world.run("preview")
    assert world.run("forget").code == 0
    assert [name for name in os.listdir(world.state.path) if not name.endswith("lock")] == []


def test_a_forget_that_is_cut_off_does_not_make_it_known_either(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.unlink

    def unlink(path: str) -> None:
        if path == world.state.asked:
            raise OSError(5, "Input/output error")
        real(path)

    upgraded(world)
    monkeypatch.setattr(os, "unlink", unlink)
    assert world.run("forget").code == 1
    assert (os.path.exists(world.state.id), read_shown(world.state)) == (False, FIRST)
