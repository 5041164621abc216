"""What systemd copied, and nothing that only looks like it."""

import re
from pathlib import Path

import pytest

from agent.config import credentials, settings
from agent.config.access import read_access

OURS = {"ROLLCALL_CREDENTIAL_SOURCE": "/etc/x/docker.env"}


@pytest.mark.parametrize(("text", "kept"), [("key\n", True), ("k", False), ("\n", False), ("", False)])
def test_a_key_is_what_holds_more_than_an_empty_line(tmp_path: Path, text: str, kept: bool) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), **OURS}
    assert credentials.write_key_file(environ) is None
    (tmp_path / "write-key").write_text(text)
    assert credentials.write_key_file(environ) == (str(tmp_path / "write-key") if kept else None)


def test_without_credentials_a_file_of_that_name_is_nobodys_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "write-key").write_text("somebody's\n")
    assert credentials.write_key_file({"CREDENTIALS_DIRECTORY": str(tmp_path), **OURS})
    assert credentials.write_key_file(OURS) is None
    assert credentials.write_key_file({"CREDENTIALS_DIRECTORY": "", **OURS}) is None
    assert credentials.write_key_file({"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None, "another program's"


def test_the_unit_says_of_which_file_each_copy_is() -> None:
    """So the daemon sees when one is another than what was copied."""
    unit = (Path(__file__).parents[3] / "systemd/rollcall.service").read_text()
    for name, variable in (*credentials.ENV_FILES, credentials.WRITE_KEY):
        (file,) = re.findall(rf"^LoadCredential={name}:(.*)$", unit, re.MULTILINE)
        assert f"\nEnvironment={variable}={file}\n" in unit
    assert f"\nSetCredential=docker.env:{credentials.STAND_IN}=true\n" in unit
    told = {"CREDENTIALS_DIRECTORY": "/run/x", "ROLLCALL_WRITE_KEY_SOURCE": "/etc/x/write-key"}
    assert credentials.copies(told) == [("/run/x/write-key", "/etc/x/write-key")]
    assert credentials.env_files(told) == []


def test_the_copy_stands_for_the_key_file_and_a_key_in_docker_env_wins(tmp_path: Path) -> None:
    (tmp_path / "write-key").write_text("copied\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), **OURS}
    named = {**environ, "ROLLCALL_WRITE_KEY_FILE": "/etc/x/write-key"}
    assert read_access(settings.load(environ, [])).key == "copied"
    assert read_access(settings.load(named, [])).key == "copied"
    assert read_access(settings.load({**environ, "ROLLCALL_WRITE_KEY": "direct"}, [])).key == "direct"
