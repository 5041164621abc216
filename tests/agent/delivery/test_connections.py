"""No module opens a connection that the table does not name."""

import ast
from pathlib import Path

import agent
from agent.delivery.connections import CONNECTIONS

ROOT = Path(agent.__file__).parent
OPENERS = (
    *("socket", "_socket", "socketserver", "ssl", "_ssl", "requests", "urllib3", "urllib", "http", "ftplib"),
    *(
        "smtplib",
        "poplib",
        "imaplib",
        "telnetlib",
        "xmlrpc",
        "asyncio",
        "multiprocessing",
        "httpx",
        "aiohttp",
    ),
)
"""Packages by which Python opens a socket."""
NO_SOCKET = frozenset({"gethostname", "AF_INET", "AF_INET6"})
"""What the module `socket` has besides."""
HARMLESS = ("urllib.parse",)
PROGRAMS = ("systemctl", "curl", "wget", "getent", "pip", "ssh", "nc", "busctl")
"""Programs that open one for whoever starts them."""
DECLARED = {name for kind in CONNECTIONS for name in kind.modules}


def openers_in(text: str) -> set[str]:
    """What in this source could open a connection: imports, at whatever depth, and names of programs."""
    found: set[str] = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        if isinstance(node, ast.List) and node.elts and isinstance(node.elts[0], ast.Constant):
            found |= {str(node.elts[0].value)} & set(PROGRAMS)  # an argv
        found |= {name for name in names if name.partition(".")[0] in OPENERS and name not in HARMLESS}
    used = used_of_socket(tree)
    return found - {"socket"} if used and used <= NO_SOCKET else found


def used_of_socket(tree: ast.AST) -> set[str]:
    """The names of the module `socket` that are used as socket.NAME."""
    used = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in used if isinstance(node.value, ast.Name) and node.value.id == "socket"}


def modules() -> dict[str, set[str]]:
    paths = {path: path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("*.py")}
    return {".".join(name.parts): openers_in(path.read_text()) for path, name in paths.items()}


def test_every_module_that_could_open_a_connection_is_in_the_table() -> None:
    assert {name for name, found in modules().items() if found} == DECLARED


def test_the_search_finds_what_is_planted() -> None:
    assert openers_in("def f():\n    import http.client as c\n") == {"http.client"}
    assert openers_in("from urllib.request import urlopen") == {"urllib.request"}
    assert openers_in("import subprocess\nsubprocess.run(['curl', x])") == {"curl"}
    assert openers_in("import socket\nsocket.gethostname()\nsocket.getaddrinfo('a', 1)") == {"socket"}
    assert openers_in("import socket\nsocket.gethostname()\nfrom urllib.parse import quote") == set()
    assert openers_in("import os\nfrom agent.base import http\nx = 'socket'") == set()
