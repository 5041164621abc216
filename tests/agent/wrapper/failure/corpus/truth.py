"""What is true about each script of the corpus, and what is to be thought of a report.

A script is a file of testdata/bash or testdata/sh, or a folder with install.sh and what it sources.
Comments in it say what is true; they are removed before it runs, and no line moves:

    #=> curl:22     the failing step is this line, and curl failed with 22: both are wanted
    #=| curl:22     this line is as right as the other
    #=? curl:22     nobody can be expected to know; if something is said, it is this
    #=> -           no program failed, so none may be named
    #=> ?curl:22    curl may be named, or nothing
    #=> env:2|make:2    either is right
    #=> docker:1 -4     the command began 4 lines before (+4: ends 4 lines after); any of its lines is right

Where no line is marked, none may be reported. The lines at the top are for the stage:

    #: fails psql:3 curl:22@2   programs that fail: always, or at their 2nd call only
    #: reads psql               programs that read their input to its end
    #: prints curl exit 7       what a program prints
    #: file own exit 3          a further file, and its text
    #: run @ bash < install.sh  how it is run; the wrapper comes to where @ stands
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

MARK = re.compile(r"[ \t]*#=(?P<kind>[>|?]) (?P<programs>\S+)(?: (?P<span>[-+]\d+))?[ \t]*$", re.MULTILINE)
TOLD = re.compile(r"^#: (?P<word>\w+) (?P<rest>.*)$", re.MULTILINE)
USUAL_RUN = "@ ./install.sh"

Program = tuple[str, int]


@dataclass(frozen=True)
class Found:
    """What was reported of a failed install."""

    script: str | None = None
    line: int | None = None
    command: str | None = None
    code: int | None = None

    def __str__(self) -> str:
        place = f"{self.script or ''}:{self.line}" if self.line else "nowhere"
        return f"{place} {self.command or '-'}:{'-' if self.code is None else self.code}"


@dataclass(frozen=True)
class Step:
    """A line that may be reported as the failing step, and the programs that may be named with it."""

    kind: str
    programs: frozenset[Program]
    program_wanted: bool


@dataclass(frozen=True)
class Verdict:
    """Each of place and program: true, missed, false, or empty where nothing was to be said."""

    place: str
    program: str


@dataclass(frozen=True)
class Case:
    """A script of the corpus: what it is run with, and what is true."""

    name: str
    files: dict[str, str]
    steps: dict[tuple[str, int], Step]
    run: str = USUAL_RUN
    fails: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    prints: dict[str, str] = field(default_factory=dict)

    @property
    def place_wanted(self) -> bool:
        return any(step.kind == ">" for step in self.steps.values())

    def truth(self) -> str:
        """The first choice, for people."""
        best = sorted(self.steps.items(), key=lambda item: ">|?".index(item[1].kind))
        for (script, line), step in best:
            programs = "|".join(f"{name}:{code}" for name, code in sorted(step.programs))
            return f"{script}:{line} {'' if step.program_wanted else '?'}{programs or '-'}"
        return "nowhere"

    def judge(self, found: Found) -> Verdict:
        if found.line is None:
            place, step = ("missed" if self.place_wanted else ""), self._first()
        else:
            step = self.steps.get((found.script or "install.sh", found.line))
            place = "true" if step else "false"
        return Verdict(place, _program(step or self._first(), found))

    def _first(self) -> Step | None:
        return next((step for step in self.steps.values() if step.kind in ">?"), None)


def _program(step: Step | None, found: Found) -> str:
    if found.command is None:
        return "missed" if step and step.program_wanted and step.kind != "?" else ""
    if step is None or found.command not in {name for name, _ in step.programs}:
        return "false"
    if found.code is None:
        return "missed" if step.program_wanted else ""
    return "true" if (found.command, found.code) in step.programs else "false"


def cases(folder: Path) -> list[Case]:
    """Every case below a folder, by name."""
    return [read(path) for path in sorted(folder.iterdir())]


def read(path: Path) -> Case:
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    texts = {("install.sh" if p == path else p.name): p.read_text() for p in paths}
    told: dict[str, list[str]] = {}
    for found in TOLD.finditer(texts["install.sh"]):
        told.setdefault(found["word"], []).append(found["rest"])
    more = dict(line.split(" ", 1) for line in told.get("file", []))
    return Case(
        name=path.name,
        files={name: TOLD.sub("#", MARK.sub("", text)) for name, text in texts.items()} | more,
        steps={place: step for name, text in texts.items() for place, step in steps(name, text)},
        run=told.get("run", [USUAL_RUN])[0],
        fails=tuple(" ".join(told.get("fails", [])).split()),
        reads=tuple(" ".join(told.get("reads", [])).split()),
        prints=dict(line.split(" ", 1) for line in told.get("prints", [])),
    )


def steps(script: str, text: str) -> list[tuple[tuple[str, int], Step]]:
    """The marked lines of a file; of a command of several lines, each."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if (mark := MARK.search(line)) is None:
            if "#=" in line:
                raise ValueError(f"{script}:{number}: no mark: {line}")
            continue
        programs = mark["programs"].removeprefix("?")
        step = Step(
            mark["kind"],
            frozenset()
            if programs == "-"
            else frozenset(map(program, programs.replace("|?", "|").split("|"))),
            program_wanted=not mark["programs"].startswith(("?", "-")),
        )
        span = int(mark["span"] or 0)
        lines = range(number + min(span, 0), number + max(span, 0) + 1)
        found += [((script, at), step) for at in lines]
    return found


def program(text: str) -> Program:
    name, _, code = text.rpartition(":")
    return name, int(code)
