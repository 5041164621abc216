"""The proxies in docs/collector.md, as they stand there, in front of a collector."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import environ
from tests.deadends import unused_port
from tests.parts import find
from tests.wait import until

DOCS = Path(__file__).parents[2] / "docs/collector.md"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def block(kind: str) -> str:
    """The first block of this kind in the docs."""
    found = re.search(rf"```{kind}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found[1]


def replaced(text: str, parts: dict[str, str]) -> str:
    for old, new in parts.items():
        assert old in text
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, collector: int) -> list[str]:
    parts = {"443 ssl": f"127.0.0.1:{port}", "127.0.0.1:8787": f"127.0.0.1:{collector}"}
    return _nginx(folder, replaced(block("nginx"), parts))


def bare_nginx(folder: Path, port: int, collector: int) -> list[str]:
    """As it is by default since 1.29.7: it speaks HTTP/1.1, adds no header, and names itself as the host."""
    there = f"proxy_pass http://127.0.0.1:{collector}; proxy_http_version 1.1;"
    return _nginx(folder, f"server {{ listen 127.0.0.1:{port}; location / {{ {there} }} }}\n")


def _nginx(folder: Path, server: str) -> list[str]:
    places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{server}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(conf)]


def caddy(folder: Path, port: int, collector: int) -> list[str]:
    parts = {"rollcall.example": f"http://:{port}", "127.0.0.1:8787": f"127.0.0.1:{collector}"}
    conf = folder / "Caddyfile"
    conf.write_text(f"{{\nadmin off\ndefault_bind 127.0.0.1\n}}\n{replaced(block('caddyfile'), parts)}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(conf)]


@contextlib.contextmanager
def proxy(make: Callable[[Path, int, int], list[str]], folder: Path, collector: int) -> Iterator[int]:
    """Run it; its port."""
    folder.mkdir()
    port = unused_port()
    program, *arguments = make(folder, port, collector)
    with subprocess.Popen(
        [find(program) or program, *arguments], env=environ.bare(folder), stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: _listens(port) or process.poll() is not None, why=f"{program} listens")
            assert process.poll() is None
            yield port
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
