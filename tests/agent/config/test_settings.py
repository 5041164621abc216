import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import settings
from agent.config.settings import SETTINGS, SettingError
from tests.agent.world import World

URL_TEXT = string.ascii_letters + string.digits + "-._~/:[]%=&"


def load(**environ: str) -> settings.Settings:
    return settings.load({f"ROLLCALL_{name}": value for name, value in environ.items()}, [])


@given(st.integers(0, 366), st.sampled_from(["s", "m", "h", "d", ""]))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}[unit]
    assert settings.duration(f"{number}{unit}") == number * seconds


@given(st.text())
def test_a_duration_is_a_sane_number_or_an_error(text: str) -> None:
    try:
        seconds = settings.duration(text)
    except ValueError:
        return
    assert 0 <= seconds <= settings.LONGEST
    assert text.isascii()
    assert text.rstrip("smhd").isdigit()


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "1.5h", "6 h", "6H", "1w", "٣h", "1e3", "367d", "9" * 5000, "1hh"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        settings.duration(text)


def test_an_interval_of_nothing_is_refused() -> None:
    for text in ("0", "0h"):
        with pytest.raises(
            SettingError, match=r"ROLLCALL_INTERVAL .the environment. is not valid: it takes .*not 0"
        ):
            load(INTERVAL=text)
    assert load(INTERVAL="1").interval == 1


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("https://api.segment.io", "https://api.segment.io"),
        ("HTTPS://Api.Segment.io/", "https://Api.Segment.io"),
        ("http://127.0.0.1:8787//", "http://127.0.0.1:8787"),
        ("http://[::1]:80/base/", "http://[::1]:80/base"),
        ("http://[2001:db8::1]", "http://[2001:db8::1]"),
    ],
)
def test_an_endpoint_is_kept_as_a_base_url(given_: str, kept: str) -> None:
    assert load(ENDPOINT=given_).endpoint == kept


@pytest.mark.parametrize(
    "endpoint",
    [
        "api.segment.io",
        "ftp://h",
        "https://",
        "https:///v1",
        "//h",
        "http:h",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:x",
        "http://h:8:9",
        "http://u:p@h",
        "http://h?x=1",
        "http://h#x",
        "http://h h",
        "http://h\\x",
        "http://[]",
        "http://[zz]",
        "http://[::1",
        "http://h\x1b[2J",
        "http://é",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(
        SettingError, match=r"ROLLCALL_ENDPOINT .the environment. is not valid: it takes the base URL"
    ):
        load(ENDPOINT=endpoint)


@given(st.text(URL_TEXT, max_size=20), st.sampled_from(["http://", "https://", "HTTP://", "", "x://"]))
def test_whatever_endpoint_is_taken_is_one_that_can_be_posted_to(rest: str, scheme: str) -> None:
    try:
        endpoint = settings._endpoint(scheme + rest)
    except ValueError:
        return
    assert not endpoint or endpoint.startswith(("http://", "https://"))
    assert not endpoint.endswith("/")
    assert settings._endpoint(endpoint) == endpoint


@pytest.mark.parametrize(
    "health",
    [
        "unit:shop.service",
        "pidfile:/run/x.pid",
        "process:java",
        "tcp:localhost:80",
        "http://localhost/health?x=1",
    ],
)
def test_each_kind_of_health_is_taken(health: str) -> None:
    assert load(HEALTH=health).health == health


@pytest.mark.parametrize(
    "health",
    [
        "unit:",
        "unit:-x",
        "pidfile:run/x.pid",
        "tcp:80",
        "tcp:h:0",
        "http://",
        "exec:rm",
        "unit:a b",
        "process:\x1b",
    ],
)
def test_what_is_no_health_is_refused(health: str) -> None:
    with pytest.raises(SettingError, match="ROLLCALL_HEALTH"):
        load(HEALTH=health)


@pytest.mark.parametrize(
    ("value", "usage"), [("true", True), ("TRUE", True), ("ask", False), ("false", False)]
)
def test_usage_is_only_a_plain_true(value: str, *, usage: bool) -> None:
    assert load(USAGE_TELEMETRY=value).usage is usage


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("USAGE_TELEMETRY", "yes"),
        ("PRODUCT", "x" * 101),
        ("PRODUCT", "a\nb"),
        ("WRITE_KEY", "a b"),
        ("WRITE_KEY", "a:b"),
        ("WRITE_KEY", "ключ"),
        ("STATE_DIR", "/a\0b"),
        ("FIRST_DELAY", "soon"),
        ("JITTER", "-1"),
    ],
)
def test_each_setting_refuses_what_it_cannot_mean_in_one_line(name: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        load(**{name: value})
    assert (caught.value.name, caught.value.source) == (f"ROLLCALL_{name}", "the environment")
    assert caught.value.accepted in str(caught.value)
    assert "\n" not in str(caught.value)
    assert value not in str(caught.value)  # it may be a secret in the wrong place


def test_the_environment_beats_the_file_and_the_file_the_default(world: World) -> None:
    path = world.env_file("# shop\nROLLCALL_PRODUCT=Shop\nROLLCALL_INTERVAL=1h\nROLLCALL_JITTER=\n")
    world.environ |= {"ROLLCALL_INTERVAL": "2h", "ROLLCALL_PRODUCT": ""}
    found = world.situation.settings
    assert (found.product, found.interval, found.jitter) == ("Shop", 7200, 300)
    assert found.sources == {"ROLLCALL_PRODUCT": f"{path}:2", "ROLLCALL_INTERVAL": "the environment"}


def own_file(world: World, text: str) -> Path:
    """The ordinary user's docker.env, the last that is looked at."""
    path = world.path / "home" / ".config" / "rollcall" / "docker.env"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_products_own_docker_env_displaces_nothing(world: World) -> None:
    mine = own_file(world, "ROLLCALL_ENDPOINT=https://mine.example\nROLLCALL_PRODUCT=Mine\n")
    theirs = world.env_file("APPSMITH_ENCRYPTION_SALT=abc\nROLLCALL_PRODUCT=Theirs\n")
    found = world.situation.settings
    assert (found.endpoint, found.product) == ("https://mine.example", "Theirs")
    assert found.sources == {"ROLLCALL_ENDPOINT": f"{mine}:1", "ROLLCALL_PRODUCT": f"{theirs}:2"}


def test_a_setting_without_a_value_is_named_and_asks_for_the_default(world: World) -> None:
    own_file(world, "ROLLCALL_ENDPOINT=https://mine.example\nROLLCALL_INTERVAL=1h\n")
    world.env_file("ROLLCALL_ENDPOINT=\n")
    found = world.situation.settings
    assert (found.endpoint, found.interval) == ("", 3600)


def test_the_two_forms_of_the_write_key_come_from_one_place(world: World) -> None:
    key = world.path / "key"
    key.write_text("in the file\n".replace(" ", "-"))
    own_file(world, "ROLLCALL_WRITE_KEY=last\n")
    assert settings.write_key(world.situation.settings) == "last"
    world.env_file(f"ROLLCALL_WRITE_KEY_FILE={key}\n")
    assert settings.write_key(world.situation.settings) == "in-the-file"
    world.env_file("ROLLCALL_WRITE_KEY=first\n")
    world.environ["ROLLCALL_WRITE_KEY_FILE"] = str(key)
    assert settings.write_key(world.situation.settings) == "in-the-file"


def test_a_file_that_others_may_write_sets_nothing_wherever_it_is(world: World) -> None:
    world.env_file("ROLLCALL_PRODUCT=Strangers\n").chmod(0o666)
    own_file(world, "ROLLCALL_PRODUCT=Mine\nROLLCALL_ENV_FILE=/elsewhere\n")
    found = world.situation.settings
    assert (found.product, found.env_file) == ("Mine", "")


def test_a_bad_setting_in_a_file_is_named_with_its_line(world: World) -> None:
    path = world.env_file("\n\nROLLCALL_INTERVAL=soon\n")
    with pytest.raises(SettingError, match=f"ROLLCALL_INTERVAL .{path}:3. is not valid"):
        _ = world.situation.settings


def test_the_write_key_is_the_setting_or_the_file_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("  abc123\n")
    assert settings.write_key(load(WRITE_KEY_FILE=str(path))) == "abc123"
    assert settings.write_key(load(WRITE_KEY="direct", WRITE_KEY_FILE=str(path / "not there"))) == "direct"
    assert settings.write_key(load()) == ""


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "below a file"])
def test_a_key_file_that_is_none_is_wrong_use(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "below a file":
        path.write_text("")
        path /= "key"
    with pytest.raises(
        SettingError, match=r"ROLLCALL_WRITE_KEY_FILE .the environment. is not valid: it takes the path"
    ):
        load(WRITE_KEY_FILE=str(path))


@pytest.mark.parametrize("data", [b"", b"\n", b"a b", b"root:x:0:0\n", b"a\nb\n", b"\xff", b"x" * 5000])
def test_a_key_file_with_something_else_in_it_is_refused_without_a_word_of_it(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(SettingError, match="a file that has only the key in it") as caught:
        settings.write_key(load(WRITE_KEY_FILE=str(path)))
    assert "root:x" not in str(caught.value)


@pytest.mark.needs("user")
def test_a_key_file_that_only_the_service_may_read_is_no_error_until_it_is_needed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    os.seteuid(65534)
    try:
        found = load(WRITE_KEY_FILE=str(tmp_path / "key"))
        with pytest.raises(SettingError):
            settings.write_key(found)
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("uid", "environ", "expected"),
    [
        (0, {}, "/r/var/lib/rollcall-x"),
        (0, {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        (0, {"STATE_DIRECTORY": "relative"}, "/r/var/lib/rollcall-x"),
        (1000, {}, "/h/.local/state/rollcall-x"),
        (1000, {"XDG_STATE_HOME": "/s"}, "/s/rollcall-x"),
        (1000, {"XDG_STATE_HOME": "s"}, "/h/.local/state/rollcall-x"),
    ],
)
def test_the_state_directory_is_where_its_owner_expects_it(
    uid: int, environ: dict[str, str], expected: str
) -> None:
    found = settings.default_state_dir(environ, name="rollcall-x", uid=uid, home="/h", root="/r")
    assert found == expected


def test_a_relative_path_where_the_working_directory_is_gone_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SettingError, match="ROLLCALL_STATE_DIR"):
        load(STATE_DIR="state")


def test_every_default_parses_and_every_setting_has_an_attribute() -> None:
    found = load()
    for setting in SETTINGS:
        attribute = setting.name.removeprefix("ROLLCALL_").lower()
        assert getattr(found, attribute) == setting.parse(setting.default)
        assert attribute in settings.Settings.__annotations__
    assert len(SETTINGS) == len(settings.Settings.__annotations__)
