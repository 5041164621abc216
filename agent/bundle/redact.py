"""Replace secrets by tokens, first by value and then by shape; then look again.

A value gets the same token everywhere in one bundle. The map from tokens to values is in this process alone.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from agent.bundle.encodings import BASE64_SIGNS, SAME_FOR_VALUES, VIEWS, forms_of
from agent.bundle.known import Known, is_trivial
from agent.bundle.rules import RULES, secret_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.bundle.encodings import Forms
    from agent.bundle.rules import Rule

WORDLIKE = 6
"""A shorter text, found by its shape, is not looked for elsewhere."""
_SIGNS = frozenset(BASE64_SIGNS)
_REST_OF_RUN = re.compile(rf"[{re.escape(BASE64_SIGNS)}]*=*")
TOKEN = re.compile(r"‹[a-z]+-\d+›")


class Leak(Exception):  # noqa: N818 - reads as what it says
    """A known value is still there. The text names where, never the value."""


class Redactor:
    """Replaces in all texts of one bundle, and counts what was replaced how often."""

    def __init__(self, known: Iterable[Known]) -> None:
        self.known = sorted(known, key=lambda one: -len(one.value))
        self.counts: Counter[str] = Counter()
        """How often each kind of thing was replaced: a variable's name, or a rule's."""
        self._tokens: dict[str, str] = {}
        self._forms: dict[str, Forms] = {}
        self._numbers: Counter[str] = Counter()

    def redact(self, texts: list[str]) -> list[str]:
        """The texts without what is known or looks like a secret. Leak if a known value is still there."""
        for one in self.known:
            texts = [self._without_value(text, one) for text in texts]
        found: list[Known] = []
        texts = [self._without_shapes(text, found) for text in texts]
        for one in found:
            texts = [self._without_value(text, one) for text in texts]
        self.known += found
        if leak := find_leak("\0".join(texts), self.known):
            raise Leak(leak)
        return texts

    def _token(self, value: str, kind: str) -> str:
        if value not in self._tokens:
            self._numbers[kind] += 1
            self._tokens[value] = f"‹{kind}-{self._numbers[kind]}›"
        return self._tokens[value]

    def _without_value(self, text: str, one: Known) -> str:
        if one.kind == "secret":
            if one.value not in self._forms:
                self._forms[one.value] = forms_of(one.value)
            text, count = replace_secret(
                text, self._forms[one.value], lambda: self._token(one.value, one.kind)
            )
        else:
            whole = rf"(?i)(?<![A-Za-z0-9]){re.escape(one.value)}(?![A-Za-z0-9])"
            text, count = re.subn(whole, lambda _: self._token(one.value, one.kind), text)
        if count:
            self.counts[one.name] += count
        return text

    def _without_shapes(self, text: str, found: list[Known]) -> str:
        small = text.lower()
        for rule in RULES:
            if any(hint in small for hint in rule.hints):
                text = self._without_shape(text, rule, found)
        return text

    def _without_shape(self, text: str, rule: Rule, found: list[Known]) -> str:
        parts, end = [], 0
        for start, stop in secret_spans(rule, text):
            value = text[start:stop]
            if TOKEN.search(value) and not _remains(value):
                continue
            if value not in self._tokens and _worth_looking_for(value):
                found.append(Known(value, rule.kind, rule.name))
            parts += [text[end:start], self._token(value, rule.kind)]
            end = stop
            self.counts[rule.name] += 1
        return "".join([*parts, text[end:]])


def _remains(value: str) -> bool:
    """Whether there is more than tokens and punctuation."""
    return bool(re.search(r"[A-Za-z0-9]{4,}", TOKEN.sub("", value)))


def _worth_looking_for(value: str) -> bool:
    """Whether the same text elsewhere is surely the same secret: no plain word, no token in it."""
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return bool(mixed) and len(value) >= WORDLIKE and not is_trivial(value) and not TOKEN.search(value)


def replace_secret(text: str, forms: Forms, token: Callable[[], str]) -> tuple[str, int]:
    """Replace every form of a value; of base64, the whole run that it is in. Also how many there were."""
    count = 0
    for form in forms.plain:
        if found := text.count(form):
            text, count = text.replace(form, token()), count + found
    for core in forms.base64:
        if core in text:
            text, found = _without_runs(text, core, token())
            count += found
    return text, count


def _without_runs(text: str, core: str, token: str) -> tuple[str, int]:
    """Replace every run of base64 with the core in it. A search is faster here than a regular expression."""
    parts, end = [], 0
    while (found := text.find(core, end)) >= 0:
        start = found
        while start > end and text[start - 1] in _SIGNS:
            start -= 1
        parts += [text[end:start], token]
        run = _REST_OF_RUN.match(text, found + len(core))
        end = run.end() if run else found + len(core)
    return "".join([*parts, text[end:]]), len(parts) // 2


def find_leak(text: str, known: Iterable[Known]) -> str | None:
    """Whose value is still in the text, and how it is written there; None if there is none."""
    secrets = [one for one in known if one.kind == "secret"]
    text = TOKEN.sub("\0", text)
    for written, view in VIEWS.items():
        seen = view(text)
        same = SAME_FOR_VALUES.get(written, str)
        for one in secrets:
            value = same(one.value.strip())
            if not is_trivial(value) and value in seen:
                return f"the value of {one.name} is still there, written as {written}"
    return None
