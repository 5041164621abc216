"""How long it takes to redact 10 MiB of logs, beside what `xz -9` takes for the same bytes."""

import lzma
import time
from collections.abc import Callable, Sequence

from agent.bundle.known import secret_values
from agent.bundle.redact import Redactor
from tests.agent.bundle.corpus import Line, make_corpus

SIZE = 10 * 1024 * 1024
SECRETS = 20
"""A docker.env with so many secrets is a large one."""
FILES = 300
BOUND = 5.0


def main(argv: Sequence[str]) -> int:
    """Measure logs with a secret in every other line, and one without. 0 if each takes less than BOUND."""
    if argv:
        print("bench redact takes no arguments")
        return 2
    corpus = make_corpus()
    known = secret_values(list(corpus.variables.items())[:SECRETS])
    text = repeated(corpus.lines)
    logs = {
        "40 % of the lines have a secret": [text],
        f"the same, in {FILES} files": cut(text),
        "no line has one": [repeated([line for line in corpus.lines if not line.secret])],
    }
    worst = 0.0
    for name, texts in logs.items():
        took = seconds(lambda texts=texts: Redactor(known).redact(texts))  # type: ignore[misc]
        packed = seconds(lambda texts=texts: lzma.compress("".join(texts).encode(), preset=9))  # type: ignore[misc]
        print(f"10 MiB, {name}: {took:.1f} s of CPU, {took / packed:.1f} times xz -9")
        worst = max(worst, took)
    return 0 if worst < BOUND else 1


def repeated(lines: Sequence[Line]) -> str:
    text = "\n".join(line.text for line in lines) + "\n"
    return text * (SIZE // len(text.encode()) + 1)


def cut(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    step = len(lines) // FILES + 1
    return ["".join(lines[start : start + step]) for start in range(0, len(lines), step)]


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
