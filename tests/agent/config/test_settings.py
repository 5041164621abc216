import os
from pathlib import Path

import pytest

from agent.config import settings, values
from agent.config.access import read_access
from agent.config.settings import SETTINGS, SettingError
from agent.events import catalogue
from tests.agent.world import World


def load(**environ: str) -> settings.Settings:
    return settings.load({f"ROLLCALL_{name}": value for name, value in environ.items()}, [])


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
        "http://[1:2]",
        "http://[::1.2.3]:80",
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


@pytest.mark.parametrize(
    "health",
    [
        "unit:shop.service",
        "pidfile:/run/x.pid",
        "process:java",
        "tcp:localhost:80",
        "http://localhost/health?x=1",
        "tcp:[::1]:80",
    ],
)
def test_each_kind_of_health_is_taken(health: str) -> None:
    assert load(HEALTH=health).health == health


def test_the_scheme_of_a_health_check_is_of_any_case() -> None:
    assert load(HEALTH="HTTP://Localhost/Up?X=1").health == "http://Localhost/Up?X=1"
    assert load(HEALTH="Https://h").health == "https://h"


@pytest.mark.parametrize(
    "health",
    [
        "unit:",
        "unit:-x",
        "pidfile:run/x.pid",
        "tcp:80",
        "tcp:h:0",
        "tcp:[1:2]:80",
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
        ("USAGE_VERSION", "0"),
        ("USAGE_AGREED", "1.5"),
        ("PRODUCT", "x" * 101),
        ("PRODUCT", "a\nb"),
        ("WRITE_KEY", "a b"),
        ("WRITE_KEY", "a:b"),
        ("WRITE_KEY", "ключ"),
        ("STATE_DIR", "/a\0b"),
        ("FIRST_DELAY", "soon"),
        ("JITTER", "-1"),
        ("UPDATES_KEY", "RW" + "A" * 54),
        ("UPDATES_KEY", "RWQ" + "A" * 52),
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
    key.write_text("in-the-file\n")
    own_file(world, "ROLLCALL_WRITE_KEY=last\n")
    assert read_access(world.situation.settings).key == "last"
    world.env_file(f"ROLLCALL_WRITE_KEY_FILE={key}\n")
    assert read_access(world.situation.settings).key == "in-the-file"
    world.env_file("ROLLCALL_WRITE_KEY=first\n")
    world.environ["ROLLCALL_WRITE_KEY_FILE"] = str(key)
    assert read_access(world.situation.settings).key == "in-the-file"


def test_a_file_that_others_may_write_sets_nothing_wherever_it_is(world: World) -> None:
    world.env_file("ROLLCALL_PRODUCT=Strangers\n").chmod(0o666)
    own_file(world, "ROLLCALL_PRODUCT=Mine\nROLLCALL_ENV_FILE=/elsewhere\n")
    found = world.situation.settings
    assert (found.product, found.env_file) == ("Mine", "")


def test_a_bad_setting_in_a_file_is_named_with_its_line(world: World) -> None:
    path = world.env_file("\n\nROLLCALL_INTERVAL=soon\n")
    with pytest.raises(SettingError, match=f"ROLLCALL_INTERVAL .{path}:3. is not valid"):
        _ = world.situation.settings


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


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ""),
        ({"CI": "true"}, "ci"),
        *(({"CI": value}, "") for value in ("", "0", "false", "No", "off")),
        ({"CI": "true", "ROLLCALL_ENVIRONMENT": "production"}, "production"),
        ({"ROLLCALL_ENVIRONMENT": "Internal"}, "internal"),
    ],
)
def test_what_installs_are_for_is_what_was_set_else_ci_where_that_is_known(
    environ: dict[str, str], expected: str
) -> None:
    assert settings.load(environ, []).environment == expected


def test_what_installs_are_for_is_one_of_a_few_words() -> None:
    with pytest.raises(SettingError, match="ROLLCALL_ENVIRONMENT"):
        load(ENVIRONMENT="my laptop")
    assert set(values.ENVIRONMENTS) == {"production", *catalogue.NOT_PRODUCTION}
