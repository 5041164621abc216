"""The verb `track`."""

import os

import pytest

from tests.agent.verbs.place import Place


def test_track_is_quiet_and_keeps_nothing_without_a_yes(place: Place) -> None:
    assert place.run("track", "Report Made", "-p", "rows:=3") == (0, "", "")
    assert not os.path.exists(place.state.path)


def test_track_keeps_scalars(place: Place) -> None:
    place.environ["ROLLCALL_USAGE_TELEMETRY"] = "true"
    argv = ["a=text", "b:=3", "c:=true", "d:=null", 'e:="3"', "f:=1.5", "g=x=y", "h=", "é=ü"]
    code, _, err = place.run("track", "Report Made", *[w for a in argv for w in ("-p", a)])

    assert (code, err) == (0, "")
    (entry,) = place.entries()
    found = entry.event
    assert isinstance(found, dict)
    assert found["event"] == "Report Made"
    assert found["properties"] == {
        "a": "text",
        "b": 3,
        "c": True,
        "d": None,
        "e": "3",
        "f": 1.5,
        "g": "x=y",
        "h": "",
        "é": "ü",
    }


@pytest.mark.parametrize(
    "text",
    [
        "novalue",
        "=x",
        ":=x",
        "a:=",
        "a:=[1]",
        "a:={}",
        "a:=NaN",
        "a:=-Infinity",
        "a:=1e999",
        "a:=" + "9" * 5000,
        "a:=" + "[" * 50_000,
        'a:="\\ud800"',
        "a=\udcff",
        "\udcff=a",
    ],
)
@pytest.mark.parametrize("opted_in", ["true", "false"])
def test_track_refuses_what_is_no_scalar(text: str, opted_in: str, place: Place) -> None:
    place.environ["ROLLCALL_USAGE_TELEMETRY"] = opted_in
    code, out, err = place.run("track", "Report Made", "-p", text)

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "is not valid; it takes key=text, or key:=" in err
    assert not os.path.exists(place.state.outbox)


@pytest.mark.parametrize("name", ["Instance Active", " installation  started "])
def test_track_refuses_a_name_of_the_catalogue(name: str, place: Place) -> None:
    code, _, err = place.run("track", name)

    assert code == 2
    assert "is an event of Rollcall itself" in err
