# ruff: noqa: INP001, SLF001 - a script of its own; argparse shows its verbs only in private attributes
"""Draw the parts of the docs that repeat tables of the code.

`python docs/draw.py` draws them; `--check` only compares. A page has marked blocks. The text between the
marks is drawn, and the rest is written by hand:

    <!-- drawn: NAME, by docs/draw.py -->
    <!-- end: NAME -->

A manual page has the same marks as comments of roff. The completions in docs/completions/ are drawn whole.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from agent.cli import parser  # noqa: E402
from agent.config.consent import RULES  # noqa: E402
from agent.config.settings import SETTINGS, Setting  # noqa: E402
from agent.events import catalogue  # noqa: E402
from agent.events.additions import RELEASES, additions  # noqa: E402
from agent.events.facts import System  # noqa: E402
from agent.events.shown import FIRST, NEWEST  # noqa: E402
from agent.outbox import bounds as most  # noqa: E402
from agent.outbox.bundles import build_bundle_line  # noqa: E402
from agent.verbs.preview import SAMPLE_DIGEST, SAMPLE_SIZE  # noqa: E402
from docs import draw_completions, draw_man  # noqa: E402

INSTANCE = "00000000-0000-4000-8000-000000000000"
RUN = "3f2b8c1d-0000-4000-8000-000000000000"
MESSAGE = "01937a52-6c00-7abc-8def-0123456789ab"
ORIGIN = catalogue.Origin(INSTANCE, "Shop", "2.4.1", System("ubuntu", "24.04"), NEWEST)
MIB = 1024 * 1024
MOMENT = 1_800_000_000.0
FLAGS = ("ROLLCALL_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def event_table() -> str:
    """Every event with its properties."""
    parts = []
    for kind in catalogue.CATALOGUE:
        rows = [
            [f"`{prop.name}`", prop.type, "always" if prop.required else "where known", prop.meaning]
            for prop in kind.properties
        ]
        drawn = table(["property", "type", "sent", "meaning"], rows)
        parts.append(f"### {kind.name}\n\nSent when {kind.meaning}.\n\n{drawn}")
    return "\n\n".join(parts)


def field_table() -> str:
    """What events carry beside their properties."""
    rows = [[f"`{'.'.join(one.path)}`", one.carried_by, one.meaning] for one in catalogue.FIELDS]
    return table(["field", "in", "what it is"], rows)


def history() -> str:
    """What each version of the catalogue added."""
    words = {FIRST: ["everything on this page that is not named below"]}
    for one in additions(FIRST):
        words.setdefault(one.since, []).append(f"`{'.'.join(one.path) or one.carried_by}`")
    rows = [[str(version), RELEASES[version], ", ".join(words[version])] for version in sorted(words)]
    return table(["version", "came with Rollcall", "what is new"], rows)


def sample(name: str) -> Callable[[], str]:
    """One event's exact JSON."""

    def drawn() -> str:
        kind = catalogue.kind(name)
        event = catalogue.build(
            name,
            {prop.name: prop.example for prop in kind.properties},
            ORIGIN,
            message_id=MESSAGE,
            timestamp=MOMENT,
            installation=RUN if kind.about_installation else None,
        )
        return "```json\n" + json.dumps(event, indent=2) + "\n```"

    return drawn


def bundle_sample() -> str:
    """What is told of a support bundle."""
    line = build_bundle_line(
        ORIGIN, size=SAMPLE_SIZE, digest=SAMPLE_DIGEST, timestamp=MOMENT, installation=RUN
    )
    return "```json\n" + json.dumps(line | {"messageId": MESSAGE}, indent=2) + "\n```"


def setting_table() -> str:
    """Every setting with its default."""
    rows = [
        [f"`{setting.name}`", default(setting), setting.meaning, setting.accepted] for setting in SETTINGS
    ]
    return table(["name", "default", "meaning", "takes"], rows)


def default(setting: Setting) -> str:
    if setting.name == "ROLLCALL_PRODUCT_VERSION":
        return "Rollcall's own"
    return f"`{setting.default}`" if setting.default else "empty"


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Every verb and its parser."""
    of_kind = argparse._SubParsersAction
    return next(dict(action.choices) for action in parser()._actions if isinstance(action, of_kind))


def verb_list() -> str:
    """Every verb with its arguments and options, in the order of `rollcall --help`."""
    parts = []
    for name, verb in verbs().items():
        usage = " ".join(verb.format_usage().removeprefix("usage: ").split())
        lines = [f"### {name}", "", f"`{usage}`", "", str(verb.description)]
        rows = [option(action) for action in shown(verb)]
        parts.append("\n".join([*lines, *(["", *rows] if rows else [])]))
    return "\n\n".join(parts)


def shown(verb: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments and options that people use."""
    return [action for action in verb._actions if action.help != argparse.SUPPRESS and action.dest != "help"]


def option(action: argparse.Action) -> str:
    """One argument or option as a list item."""
    names = ", ".join(action.option_strings) or action.metavar or "|".join(action.choices or ())
    value = f" {action.metavar}" if action.option_strings and action.metavar else ""
    return f"- `{names or action.dest}{value}`: {action.help}"


def rule_table() -> str:
    """Every rule that `status` can name."""
    return table(["rule", "meaning"], [[f"`{rule}`", words] for rule, words in RULES.items()])


def bounds() -> str:
    """How long events are kept, and how many."""
    waiting, settled = most.MAX_WAITING_BYTES // MIB, most.MAX_SETTLED_BYTES // MIB
    days = most.KEEP_SECONDS // 86400
    return (
        f"- Events that wait: at most {most.MAX_WAITING:,}, or {waiting} MiB. Above that the oldest\n"
        "  heartbeats are dropped first, then the oldest other events. The drops are counted.\n"
        f"- All other events: {days} days, counted while the machine runs; at most {most.MAX_SETTLED:,},\n"
        f"  or {settled} MiB."
    )


def example() -> str:
    """docker.env.example: every setting and flag, commented out."""
    lines = [
        "# Settings of Rollcall. Copy this file to where Rollcall looks for docker.env, for example to",
        "# /etc/rollcall/docker.env. Remove the # before a line to set it. The environment wins over it.",
        "# Of several files, the first that names a setting decides. A file that is larger than 64 KiB, or",
        "# has a line that does not parse, turns all telemetry off.",
        "#",
        "# To stop all telemetry, set one of these flags to any value except 0, false, no, off and nothing:",
        *(f"#{flag}=true" for flag in FLAGS),
    ]
    for setting in SETTINGS:
        if setting.name == draw_man.ONLY_FROM_THE_ENVIRONMENT:
            continue
        lines += ["", f"# {setting.name}: {setting.meaning}", f"# accepts {setting.accepted}"]
        value = "" if setting.name == "ROLLCALL_PRODUCT_VERSION" else setting.default
        lines.append(f"#{setting.name}={value}")
    return "\n".join(lines) + "\n"


BLOCKS: dict[str, Callable[[], str]] = {
    "events": event_table,
    "fields": field_table,
    "history": history,
    "sample of Installation Errors": sample("Installation Errors"),
    "sample of Instance Active": sample("Instance Active"),
    "sample of Support Bundle": bundle_sample,
    "settings": setting_table,
    "verbs": verb_list,
    "rules": rule_table,
    "bounds": bounds,
}
PAGES = ("docs/telemetry.md", "docs/settings.md", "docs/verbs.md")
EXAMPLE = "docker.env.example"


def filled(text: str) -> str:
    """The page with every block drawn again; KeyError for a block that nobody draws."""
    mark = re.compile(
        r"(<!-- drawn: (?P<name>[^,>]+), by docs/draw\.py -->\n).*?(<!-- end: (?P=name) -->)", re.DOTALL
    )
    return mark.sub(lambda found: f"{found[1]}{BLOCKS[found['name']]()}\n{found[3]}", text)


def page_texts(names: tuple[str, ...], fill: Callable[[str], str]) -> dict[Path, str]:
    return {ROOT / name: fill((ROOT / name).read_text(encoding="utf-8")) for name in names}


def pages() -> dict[Path, str]:
    """Each drawn file, and the text it should hold."""
    drawn = page_texts(PAGES, filled) | page_texts(draw_man.PAGES, draw_man.filled)
    completions = {ROOT / path: text for path, text in draw_completions.files().items()}
    return {**drawn, **completions, ROOT / EXAMPLE: example()}


def main(argv: list[str]) -> int:
    """Draw, or with --check say which files differ."""
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)} differs from the tables" if argv else f"drawn: {path}")
        if not argv:
            path.write_text(pages()[path], encoding="utf-8")
    return 1 if argv and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
