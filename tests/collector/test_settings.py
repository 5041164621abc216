"""Settings: where they come from, what they must be, and that the docs list them."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.base.written import read_size, write_size
from collector.cli import build_parser
from collector.settings import PREFIX, SETTINGS, SettingError, default_database, read_settings

ROOT = Path(__file__).parents[2]


def settings_table() -> str:
    """The settings as the table in docs/collector.md."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else "unset"
        lines.append(f"| `{PREFIX}{setting.name}` | {default} | {setting.meaning} |")
    return "\n".join(lines)


def test_every_setting_is_in_the_docs_and_in_help() -> None:
    page = (ROOT / "docs" / "collector.md").read_text()
    assert settings_table() in page
    for setting in SETTINGS:
        assert PREFIX + setting.name in build_parser().format_help()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("LISTEN", "127.0.0.1:65536"),
        ("PUBLIC_URL", "rollcall.example"),
        *(("ALERTS_QUIET", text) for text in ("22-7", "24:00-07:00", "07:00", "07:00-07:00", "-")),
        *(("ALERTS_DIGEST", text) for text in ("monday 08:00", "mon", "mon 8", "08:00")),
        *(("METRICS_ALLOW", text) for text in ("10.0.0.0/33", "nobody", "127.0.0.1,none")),
        ("RATE", "-1"),
        ("PEER_RATE", "inf"),
        ("DAILY", "1.5G"),
        ("BUNDLES", "many"),
        ("KEEP", "90"),
        ("KEEP", "heartbeats=90"),
        ("KEEP", "events=1d beats=1d"),
        ("KEEP", "events"),
        ("DISK_FREE", "10%"),
        ("MAX_DB", "-1"),
        ("MAX_CONNECTIONS", "0"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "3601"),
        ("MEMORY", "1.5"),
        ("WORKERS", "0"),
        ("WORKERS", "65"),
    ],
)
def test_a_setting_out_of_bounds_is_named_with_what_is_accepted(name: str, wrong: str) -> None:
    accepted = next(setting.accepted for setting in SETTINGS if setting.name == name)
    with pytest.raises(SettingError) as told:
        read_settings({PREFIX + name: wrong})
    assert str(told.value) == f"{PREFIX + name} from the environment: must be {accepted}"


def test_sizes_are_read_and_written_with_units() -> None:
    sizes = ["0", "512", "512K", "512m", "8G", "1T", "64MiB"]
    read = [read_size(text) for text in sizes]
    assert read == [0, 512, 512 << 10, 512 << 20, 8 << 30, 1 << 40, 64 << 20]
    written = ["0 bytes", "512 bytes", "512 KiB", "512 MiB", "8 GiB", "1 TiB", "64 MiB"]
    assert [write_size(size) for size in read] == written


@pytest.mark.parametrize(
    ("environ", "uid", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/x"}, 7, "/var/lib/a/collector.db"),
        ({"HOME": "/root"}, 0, "/var/lib/rollcall-collector/collector.db"),
        ({"HOME": "/x", "XDG_STATE_HOME": "/s"}, 7, "/s/rollcall-collector/collector.db"),
        ({"HOME": "/x y"}, 7, "/x%20y/.local/state/rollcall-collector/collector.db"),
    ],
)
def test_a_database_that_is_not_named_lies_where_state_does(
    environ: dict[str, str], uid: int, path: str
) -> None:
    assert default_database(environ, uid) == f"sqlite:///{path}"


def test_defaults_parse_and_options_win_over_the_environment() -> None:
    assert read_settings({"HOME": "/x"}).listen == ("127.0.0.1", 8787)
    assert read_settings({PREFIX + "LISTEN": "[::1]:1"}, {"listen": "0.0.0.0:2"}).listen == ("0.0.0.0", 2)
    with pytest.raises(SettingError, match="--listen from the command line"):
        read_settings({}, {"listen": "x"})


def test_several_workers_need_postgresql() -> None:
    there = {PREFIX + "DB": "postgresql://db.internal/rollcall", PREFIX + "WORKERS": "4"}
    assert read_settings(there).workers == 4
    with pytest.raises(SettingError, match=f"{PREFIX}WORKERS from the environment: one process writes"):
        read_settings({**there, PREFIX + "DB": "sqlite:////x"})
    with pytest.raises(SettingError, match="--workers from the command line: one process writes"):
        read_settings({"HOME": "/x"}, {"workers": "2"})
    assert read_settings({"HOME": "/x", PREFIX + "WORKERS": "2"}, {"workers": "1"}).workers == 1


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("", (35, 400, 90, 30)),
        ("heartbeats=0 emails=7d bundles=2d", (0, 400, 7, 2)),
        ("30d", (30, 30, 30, 30)),
        ("0", (0, 0, 0, 0)),
    ],
)
def test_each_kind_is_kept_for_its_own_time(text: str, days: tuple[int, ...]) -> None:
    keep = read_settings({f"{PREFIX}KEEP": text}).keep
    assert (keep.heartbeats, keep.events, keep.emails, keep.bundles) == tuple(day * 86_400 for day in days)
    assert keep.forever == (not any(days))
