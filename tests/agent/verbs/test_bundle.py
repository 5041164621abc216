"""`support --bundle`: what is collected, shown, sealed, and when nothing is."""

import contextlib
import errno
import io
import json
import os
import pty
import subprocess
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from jwcrypto import jwk

from agent.bundle.collect import MAX_PIECE, MAX_TOTAL
from agent.bundle.pack import REPORT
from agent.events import catalogue
from agent.outbox.bundles import MOST_BYTES
from agent.outbox.outbox import Outbox
from agent.verbs import bundle as module
from tests.agent.bundle.test_seal import new_key, opened
from tests.agent.runs.texts import RUN
from tests.agent.verbs.test_support import fail
from tests.agent.world import FLAG, World
from tests.leftovers import end_senders
from tests.verbs import AGENT

pytestmark = pytest.mark.needs("root")  # only root's list is heeded
PASSWORD = "hunter2 it's"


class Site:
    """A failed install, a list, a log with secrets, and a key."""

    def __init__(self, world: World) -> None:
        self.world, self.key = world, new_key()
        world.environ["ROLLCALL_STATE_DIR"] = str(world.path / "state")
        fail(world)
        self.list = world.path / "support.list"
        self.list.write_text(f"file {world.path}/shop.log\ncommand echo: echo from a command\n")
        self.log = world.path / "shop.log"
        self.log.write_text(
            f"DB_PASSWORD='{PASSWORD}'\ntried hunter2%20it%27s\nmail ann@example.org: step 3\n"
        )
        world.env_file(
            f"ROLLCALL_SUPPORT_KEY='{self.key.export_public()}'\n"
            f'ROLLCALL_SUPPORT_LIST={self.list}\nDB_PASSWORD="{PASSWORD}"\n'
        )
        self.out = world.path / "bundle.jwe"

    def plain(self) -> dict[str, str]:
        return members(Path(f"{self.out}.tar").read_bytes())


def members(data: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None, "only plain files"
            found[member.name] = file.read().decode()
        return found


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    yield Site(world)
    end_senders(world.path)


def test_a_bundle_holds_what_is_listed_and_what_rollcall_knows_and_no_secret(site: Site) -> None:
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert done.code == 0, done.err
    plain = site.plain()
    (log,) = (name for name in plain if name.endswith("shop.log"))
    assert plain[log] == "DB_PASSWORD='‹secret-1›'\ntried ‹secret-1›\nmail ‹email-1›: step 3\n"
    assert plain["commands/echo.txt"] == "from a command\n"
    own = {f"rollcall/{name}" for name in ("status.json", "doctor.json", "log.jsonl", "failed-install.json")}
    assert own | {"REPORT.txt"} < set(plain)
    assert json.loads(plain["rollcall/doctor.json"])["checks"]
    assert "Installation Errors" in plain["rollcall/failed-install.json"]
    assert "hunter2" not in "".join(plain.values())


def test_exactly_the_bytes_that_were_shown_are_sealed(site: Site) -> None:
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert opened(site.out.read_bytes(), site.key) == Path(f"{site.out}.tar").read_bytes()
    assert site.plain()["REPORT.txt"] in done.err
    assert "2 times  DB_PASSWORD" in done.err
    assert site.key.thumbprint() in done.err
    assert {os.stat(path).st_mode & 0o777 for path in (site.out, f"{site.out}.tar")} == {0o600}


@pytest.mark.parametrize(("answer", "sealed"), [("y", True), ("n", False), ("", False)])
def test_a_person_is_asked_and_no_answer_is_a_no(site: Site, answer: str, sealed: bool) -> None:
    master, slave = pty.openpty()
    os.write(master, f"{answer}\n".encode())
    argv = [*AGENT, "support", "--bundle", "--out", str(site.out)]
    done = subprocess.run(
        argv,
        stdin=slave,
        capture_output=True,
        text=True,
        env=site.world.real_environ(),
        cwd=site.world.cwd,
        check=False,
        timeout=120,
    )
    os.close(master)
    os.close(slave)
    assert done.returncode == 0, done.stderr
    assert "Seal it? [y/N]" in done.stderr
    assert (site.out.exists(), Path(f"{site.out}.tar").exists()) == (sealed, sealed)


def test_an_interrupted_question_leaves_no_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> bool:
        assert Path(f"{site.out}.tar").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_agreed", interrupt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert site.world.run("support", "--bundle", "--out", str(site.out)).code == 130
    assert list(site.out.parent.glob(f"{site.out.name}*")) == []


def test_a_bundle_that_cannot_be_written_whole_leaves_no_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        if site.out.exists():
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert site.world.run("support", "--bundle", "--yes", "--out", str(site.out)).code == 1
    assert list(site.out.parent.glob(f"{site.out.name}*")) == []


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--bundle", "--yes"], 1, "no endpoint is set, so nothing can be sent; write a file instead"),
        (["--bundle", "--out", "{out}"], 2, "there is no terminal"),
        (["--out", "{out}"], 2, "belong to --bundle"),
        (["--yes"], 2, "belong to --bundle"),
    ],
)
def test_wrong_use_collects_nothing(site: Site, argv: list[str], code: int, words: str) -> None:
    done = site.world.process("support", *(word.format(out=site.out) for word in argv))
    assert (done.code, words in done.err) == (code, True), done.err
    assert not site.out.exists()


def test_without_a_key_nothing_is_collected(site: Site) -> None:
    site.world.env_file("")
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "ROLLCALL_SUPPORT_KEY is not set" in done.err) == (1, True)
    assert not site.out.exists()


def test_a_file_that_is_there_is_not_written_over(site: Site) -> None:
    site.out.write_text("mine")
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "is there already" in done.err) == (1, True)
    assert site.out.read_text() == "mine"


def test_a_bundle_that_grows_as_secrets_are_replaced_is_cut_so_that_it_can_be_sent(site: Site) -> None:
    text = "a@b.co\n"
    for number in range(6):
        (site.world.path / f"{number}.log").write_text(text * (MAX_PIECE // len(text)))
    site.list.write_text(f"file {site.world.path}/?.log\n")
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "the bundle is full" in done.err) == (0, True), done.err
    assert MOST_BYTES * 0.8 < site.out.stat().st_size <= MOST_BYTES
    kept = site.plain()
    assert sum(len(one.encode()) for name, one in kept.items() if name != REPORT) <= MAX_TOTAL
    assert "".join(kept.values()).count("@") == 0


def test_more_files_than_can_be_sent_are_not_sealed_either(site: Site) -> None:
    many, each, folder = 20, 500, site.world.path / "many"
    for number in range(many):
        (folder / f"{number}").mkdir(parents=True)
        for file in range(each):
            (folder / f"{number}" / f"{file:0200}").touch()
    site.list.write_text("".join(f"file {folder}/{number}/*\n" for number in range(many)))
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "more than 16 MiB" in done.err) == (1, True), done.err
    assert not site.out.exists()
    assert not Path(f"{site.out}.tar").exists()


def test_a_list_that_a_stranger_may_write_collects_nothing(site: Site) -> None:
    site.list.chmod(0o666)
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "must belong to root" in done.err) == (1, True)
    assert not Path(f"{site.out}.tar").exists()


def test_a_secret_that_is_still_there_seals_and_writes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.bundle.redact.replace_secret", lambda text, *_: (text, 0))
    site.list.write_text("file /shop.log\n")
    (site.world.root / "shop.log").write_text("tried hunter2%20it%27s\n")
    done = site.world.run("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "the value of DB_PASSWORD is still there" in done.err) == (1, True), done.err
    assert "hunter2" not in done.err
    assert not site.out.exists()
    assert not Path(f"{site.out}.tar").exists()


@pytest.mark.parametrize(
    "key",
    ["{}", "x", '{"kty":"EC","crv":"P-256"}', '{"kty":"OKP","crv":"X25519","x":"AA"}', "[" * 400, "1" * 600],
)
def test_what_is_no_public_x25519_key_is_refused(world: World, key: str) -> None:
    world.environ["ROLLCALL_SUPPORT_KEY"] = key
    done = world.run("status")
    assert (done.code, "ROLLCALL_SUPPORT_KEY (the environment) is not valid" in done.err) == (2, True)


def test_a_private_key_is_refused(world: World) -> None:
    key: jwk.JWK = new_key()
    world.environ["ROLLCALL_SUPPORT_KEY"] = key.export_private()
    assert world.run("status").code == 2
    world.environ["ROLLCALL_SUPPORT_KEY"] = key.export_public()
    assert world.run("status").code == 0


@pytest.mark.needs("strace")
def test_off_collects_nothing_and_reads_nothing(site: Site) -> None:
    trace = site.world.path / "trace"

    def traced(*out: str, **more: str) -> tuple[int, str]:
        strace = ["strace", "-f", "-qq", "-s", "256", "-e", "trace=open,openat,execve", "-o", str(trace)]
        argv = [*strace, *AGENT, "support", "--bundle", "--yes", *out]
        env = site.world.real_environ(**more)
        done = subprocess.run(
            argv, env=env, cwd=site.world.cwd, capture_output=True, check=False, timeout=240
        )
        return done.returncode, trace.read_text(errors="replace")

    read = (str(site.list), str(site.log), '"echo"')
    for out in (["--out", str(site.out)], []):
        code, calls = traced(*out, **{FLAG: "1", "ROLLCALL_ENDPOINT": "https://a.example"})
        assert (code, [path for path in read if path in calls]) == (1, [])
        assert not site.out.exists()
        assert site.world.state.bundle_files() == []
    code, calls = traced("--out", str(site.out))
    assert (code, [path for path in read if path in calls]) == (0, list(read))


def test_the_words_of_our_own_verbs_that_fail_are_not_sealed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OWN", ("false",))
    done = site.world.run("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "status --json failed: it ended with exit code 1" in done.err) == (1, True)


def test_what_was_erased_is_in_the_log_by_its_name(site: Site) -> None:
    site.world.run("flush")
    site.world.environ[FLAG] = "1"
    site.world.run("flush")
    del site.world.environ[FLAG]
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert done.code == 0, done.err
    kept = site.plain()
    erased = kept["rollcall/log.jsonl"].splitlines()
    assert [line.partition(",")[0] for line in erased] == ['{"state": "deleted"'] * 2
    assert "rollcall/failed-install.json" not in kept


def test_of_a_long_log_the_newest_part_is_taken(site: Site) -> None:
    origin, text = site.world.app().origin(RUN), "a word " * 4_000
    many = MAX_PIECE // 25_000
    with contextlib.closing(Outbox(site.world.state)) as outbox:
        for number in range(many):
            event = catalogue.build_usage("Filled", {"text": text}, origin, timestamp=float(number))
            outbox.record(event, "")
    done = site.world.process("support", "--bundle", "--yes", "--out", str(site.out))
    assert (done.code, "only the last" in done.err) == (0, True), done.err
    lines = site.plain()["rollcall/log.jsonl"].splitlines()
    assert many * 0.8 < len(lines) < many
    assert all(line.startswith('{"state": "waiting"') for line in lines), "none is cut"
    assert catalogue.ERRORS in lines[-1]


def shape(value: object) -> object:
    """The keys of an object, down to its leaves; of a leaf its type."""
    return {key: shape(each) for key, each in value.items()} if isinstance(value, dict) else type(value)


def test_the_line_of_a_bundle_is_as_preview_and_the_public_page_show_it(site: Site) -> None:
    page = Path(__file__).parents[3].joinpath("docs/telemetry.md").read_text(encoding="utf-8")
    block = (
        page.partition("<!-- drawn: sample of Support Bundle")[2].partition("```json")[2].partition("```")[0]
    )
    documented = json.loads(block)
    site.world.environ["ROLLCALL_ENDPOINT"] = "http://127.0.0.1:9"
    site.world.run("flush")
    asked = site.world.run("preview")
    assert "to see what is told of one: rollcall preview 'Support Bundle'" in asked.err
    previewed = site.world.run("preview", "Support Bundle").json
    assert site.world.process("support", "--bundle", "--yes").code == 0

    logged = [json.loads(line)["event"] for line in site.world.run("log", "--json").out.splitlines()]
    (line,) = [event for event in logged if event["event"] == documented["event"]]
    (failed,) = [event for event in logged if event["event"] == "Installation Errors"]
    (sealed,) = map(Path, site.world.state.bundle_files())
    assert shape(line) == shape(documented) == shape(previewed)
    assert line["anonymousId"] == previewed["anonymousId"] == failed["anonymousId"]
    assert line["context"] == {"installation": {"id": failed["context"]["installation"]["id"]}}
    data = sealed.read_bytes()
    assert line["properties"] == {"size": len(data), "sha256": sha256(data).hexdigest()}
    site.world.run("forget")
    site.world.process("support", "--bundle", "--yes")
    (line,) = [json.loads(line)["event"] for line in site.world.run("log", "--json").out.splitlines()]
    assert line["context"] == {}


def test_another_endpoint_is_told_of_no_run_that_it_does_not_know(site: Site) -> None:
    runs = []
    for port in (9, 8):
        site.world.environ["ROLLCALL_ENDPOINT"] = f"http://127.0.0.1:{port}"
        site.world.run("flush", "--report", "--budget", "1")
        assert site.world.process("support", "--bundle", "--yes").code == 0
        end_senders(site.world.path)
        lines = [json.loads(line)["event"] for line in site.world.run("log", "--json").out.splitlines()]
        (*_, line) = [line for line in lines if line["event"] == "Support Bundle"]
        runs.append(line["context"])
    assert runs == [{"installation": {"id": RUN}}, {}]
