"""The command line of `wrap`: our own options come first, then CMD.

Part of the boot path of `wrap`: it imports nothing.
"""

from __future__ import annotations

USAGE = b"usage: rollcall wrap [--no-trace] [--no-input] [--explain] -- CMD...\n"


class Options:
    """What stood before CMD, and how many words CMD has."""

    def __init__(self, words: list[str]) -> None:
        self.trace = self.input = True
        self.explain = False
        self.words = 0
        for at, word in enumerate(words):
            if word == "--no-trace":
                self.trace = False
            elif word == "--no-input":
                self.input = False
            elif word == "--explain":
                self.explain = True
            elif word == "--":
                self.words = len(words) - at - 1
                return
            elif word.startswith("-"):
                return
            else:
                self.words = len(words) - at
                return
