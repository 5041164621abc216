"""The command line of `wrap`: our own options come first, then CMD.

Part of the boot path of `wrap`: it imports nothing.
"""

from __future__ import annotations

USAGE = "usage: {name} wrap [--no-trace] [--no-input] [--explain] -- CMD...\n"
HELP = (
    USAGE
    + """
Run an install script as if it ran alone, and report how it ends.

  --no-trace  do not look for the line that fails
  --no-input  ask no questions after the install
  --explain   run nothing; say how a failing step would be found
  CMD         the command and its arguments
"""
)
SET = "--set="
TOLD = {
    "ROLLCALL_PRODUCT": "ROLLCALL_PRODUCT",
    "ROLLCALL_PRODUCT_VERSION": "ROLLCALL_PRODUCT_VERSION",
    "ROLLCALL_USAGE_VERSION": "ROLLCALL_USAGE_VERSION",
    "ROLLCALL_ENDPOINT": "ROLLCALL_ENDPOINT",
    "ROLLCALL_WRITE_KEY_FILE": "ROLLCALL_WRITE_KEY_FILE",
    "ROLLCALL_ENV_FILE": "ROLLCALL_TOLD_ENV_FILE",
}
"""What install.sh may pass on with --set=NAME=VALUE, and the variable that stands for it. A flag is not
among them. The caller's own ROLLCALL_ENV_FILE stays: a flag in that file counts too."""


class Options:
    """What stood before CMD, and how many words CMD has."""

    def __init__(self, words: list[str]) -> None:
        self.trace = self.input = True
        self.told: dict[str, str] = {}
        self.explain = False
        self.words = 0
        for at, word in enumerate(words):
            name, _, value = word[len(SET) :].partition("=")
            if word == "--no-trace":
                self.trace = False
            elif word == "--no-input":
                self.input = False
            elif word.startswith(SET) and name in TOLD:
                self.told[TOLD[name]] = value
                if name == "ROLLCALL_WRITE_KEY_FILE":
                    self.told["ROLLCALL_WRITE_KEY"] = ""  # or a key in the environment would win
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
