"""What in a script's text keeps a method out: a table of rules, each with a name and a reason.

A method stays out where the script could see it, or where its own doing would be in the way.
"""

from __future__ import annotations

from agent.wrapper.failure import signs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from agent.wrapper.failure.looks import Look

XTRACE, TRAPS, ERROR, NONE = "xtrace", "traps", "error", "none"
LADDER = (XTRACE, TRAPS, ERROR)
"""The methods, the one that tells most first. Where all are kept out, there is none."""

DEEP = (XTRACE, TRAPS)
UNTIL = ("unknown-source", "computed-eval")
"""The rules that let xtrace in until the script comes to the line."""


class Rule:
    """What a script does, which methods that keeps out, and why."""

    __slots__ = ("excludes", "finds", "name", "why")

    def __init__(
        self, name: str, excludes: Collection[str], why: str, finds: Callable[[Look], list[int]]
    ) -> None:
        self.name = name
        self.excludes = excludes
        self.why = why
        self.finds = finds
        """The lines of a text that do it."""


RULES = (
    Rule(
        "unreadable", DEEP, "the end of a quote or a block is not found, so the rest is not known", signs.odd
    ),
    Rule(
        "unknown-source",
        (TRAPS,),
        "what a computed file name stands for is not known before",
        signs.unknown_source,
    ),
    Rule("computed-eval", (TRAPS,), "eval of computed text may do anything", signs.computed_eval),
    Rule(
        "unknown-in-subshell",
        (XTRACE,),
        "it does so in a subshell, where xtrace cannot stop",
        signs.unknown_inside,
    ),
    Rule("alias", DEEP, "an alias may stand for anything", signs.alias),
    Rule(
        "replaced-builtin",
        LADDER,
        "a function takes the place of a command that all methods use",
        signs.replaced,
    ),
    Rule("own-name", LADDER, "it speaks of our own variable", signs.own_name),
    Rule("lists-traps", LADDER, "it lists its traps, and ours would be among them", signs.lists_traps),
    Rule("own-debug-trap", LADDER, "its DEBUG trap would run for our commands too", signs.debug_trap),
    Rule("own-return-trap", (TRAPS,), "functions would inherit its RETURN trap", signs.return_trap),
    Rule("own-err-trap", (TRAPS,), "functions would inherit its ERR trap", signs.err_trap),
    Rule(
        "lists-variables",
        LADDER,
        "it lists its variables, and ours would be among them",
        signs.lists_variables,
    ),
    Rule("lists-options", DEEP, "it looks at its options, and ours would be among them", signs.lists_options),
    Rule("restores-options", DEEP, "it sets options to what it read of them before", signs.restores_options),
    Rule("own-xtrace", (XTRACE,), "it uses xtrace itself, and its output would go to us", signs.own_xtrace),
    Rule(
        "xtrace-elsewhere",
        LADDER,
        "its xtrace goes to a file, and would show our traps",
        signs.xtrace_elsewhere,
    ),
    Rule("own-signal", (XTRACE,), "its trap for URG or CHLD would be in the way of ours", signs.own_signal),
    Rule("looks-at-itself", DEEP, "it looks at its descriptors or signals in /proc", signs.looks_at_itself),
    Rule("computed-descriptor", DEEP, "it may close our descriptor", signs.computed_descriptor),
    Rule("limits-files", LADDER, "it limits the size of files, and so of ours", signs.limits_files),
    Rule("pid-of-substitution", DEEP, "$! after <(…) would be another process", signs.pid_of_substitution),
    Rule(
        "special-mode",
        LADDER,
        "posix mode, verbose, extdebug or restricted shells show traps",
        signs.special_mode,
    ),
)


class Finding:
    """A rule that holds, and where."""

    __slots__ = ("line", "rule", "source")

    def __init__(self, rule: Rule, source: bytes, line: int) -> None:
        self.rule = rule
        self.source = source
        self.line = line


def findings(texts: list[Look]) -> list[Finding]:
    """Every rule that holds for a script and what it sources, once each."""
    found = []
    for rule in RULES:
        lines = ((text.source, rule.finds(text)) for text in texts)
        first = next(((source, min(each)) for source, each in lines if each), None)
        if first:
            found.append(Finding(rule, *first))
    return found


def strongest(found: list[Finding]) -> str:
    """The method that tells most of those that no rule keeps out."""
    for method in LADDER:
        if not any(method in finding.rule.excludes for finding in found):
            return method
    return NONE
