"""The files of a virtual machine, taken from this machine: nothing is downloaded or installed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.collector.running import LOUD
from tests.e2e.product import base_python, environment
from tests.e2e.virtual import pack
from tests.parts import find, postgresql_bin

GUEST = Path(__file__).with_name("guest")
FOLDERS = ("data/sqlite", "data/postgresql", "dev", "proc", "run", "tmp")
TREES = ("/usr/lib/locale/C.utf8", "/usr/share/zoneinfo")
UNUSED = (
    *("site-packages", "dist-packages", "test", "idlelib", "tkinter", "config-*"),
    *("bitcode", "llvmjit*", "pgxs"),
)
STDLIB = "import sysconfig; print(sysconfig.get_path('stdlib'))"


def make_initrd(root: Path, modules: Path) -> Path:
    """The first root: a shell, and the drivers of the machine's devices."""
    put(GUEST / "init.sh", root / "init")
    (root / "init").chmod(0o755)
    put(Path(find("busybox") or ""), root / "bin/busybox")
    for name in ("dev", "proc", "root"):
        (root / name).mkdir()
    wanted = (GUEST / "init.sh").read_text().partition("for module in")[2].partition(";")[0]
    for name in re.findall(r"\w+", wanted):
        put(next(modules.glob(f"**/{name}.ko")), root / f"modules/{name}.ko")
    add_libraries(root)
    return pack(root)


def make_root(root: Path) -> Path:
    """A collector with its Python, and a PostgreSQL."""
    python, programs = base_python(), Path(postgresql_bin() or "")
    stdlib = subprocess.run([python, "-c", STDLIB], capture_output=True, text=True, check=True).stdout.strip()
    share = Path("/usr/share/postgresql", programs.parent.name)
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    shutil.copytree(environment("collector", "collector"), root / "opt/collector", symlinks=True)
    for tree in (*TREES, stdlib, programs.parent / "lib", share):
        shutil.copytree(tree, inside(root, tree), ignore=shutil.ignore_patterns(*UNUSED))
    for file in (python, programs / "postgres", "/etc/passwd"):
        put(Path(file), inside(root, file))
    (root / "opt/postgres").symlink_to(programs / "postgres")
    put(GUEST / "stores.py", root / "stores.py")
    (root / "settings.json").write_text(json.dumps(LOUD))
    add_libraries(root)
    return root


def add_libraries(root: Path) -> None:
    """The loader, and every shared library that a file below needs."""
    files = [file for file in root.rglob("*") if file.is_file() and is_elf(file)]
    told = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    for library in set(re.findall(r"(/\S+) \(0x", told)):
        if not library.startswith(str(root)):
            put(Path(library), inside(root, library))


def is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def inside(root: Path, path: str | Path) -> Path:
    """Where a path of this machine is in that root."""
    return root / str(path).lstrip("/")


def put(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, target)
