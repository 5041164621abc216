"""A stand-in for the official image of PostgreSQL: this machine's server, on the base of the other images."""

import shutil
import subprocess

from tests.debian import debian_root
from tests.e2e.containers.host import BASE, BUILD_SECONDS, ISOLATED, Host
from tests.parts import postgresql_bin

IMAGE = "docker.io/library/postgres:17"
CONTAINERFILE = f"""
FROM {BASE}
ADD postgres.tar /
COPY start /start
RUN echo 'postgres:x:999:999::/:/bin/sh' >>/etc/passwd && mkdir -p /var/lib/postgresql/data
ENTRYPOINT ["/start"]
"""
START = """#!/bin/sh
set -eu
cd /var/lib/postgresql/data
chown 999:999 .
as() {{ setpriv --reuid=999 --regid=999 --clear-groups "$@"; }}
if [ ! -e PG_VERSION ]; then
    printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
    chmod 644 /tmp/password
    as {bin}/initdb -D . -U "$POSTGRES_USER" --pwfile=/tmp/password \\
        --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync
    echo 'host all all all scram-sha-256' >>pg_hba.conf
    echo "CREATE DATABASE $POSTGRES_DB" | as {bin}/postgres --single -D . postgres
fi
exec setpriv --reuid=999 --regid=999 --clear-groups {bin}/postgres -D . -k /tmp -h '*'
"""


def build_postgres(host: Host) -> None:
    """Build it with what the server needs of this machine, which is of the same Debian."""
    found = postgresql_bin()
    assert found
    folder = host.machine.path("/var/tmp/images/postgres")
    folder.mkdir()
    files = [found, found.replace("/bin", "/lib"), found.replace("/lib/", "/share/").removesuffix("/bin")]
    files += [library for library in needed_libraries(found) if not (debian_root() / library[1:]).exists()]
    skipped = ["--exclude=llvmjit*", "--exclude=bitcode"]
    names = [name[1:] for name in files]
    subprocess.run(["tar", "-C", "/", "-hcf", folder / "postgres.tar", *skipped, *names], check=True)
    (folder / "Containerfile").write_text(CONTAINERFILE)
    (folder / "start").write_text(START.format(bin=found))
    (folder / "start").chmod(0o755)
    host.machine.run(
        "sh", "-euc", f"podman build {ISOLATED} --format docker -t {IMAGE} /var/tmp/images/postgres",
        timeout=BUILD_SECONDS,
    )  # fmt: skip
    shutil.rmtree(folder)


def needed_libraries(folder: str) -> list[str]:
    """The paths, below /usr, of the shared libraries that the server's programs load."""
    command = ["ldd", f"{folder}/postgres", f"{folder}/initdb"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    paths = {line.split()[2] for line in done.stdout.splitlines() if " => /" in line}
    return sorted(f"/usr{path}" if path.startswith("/lib") else path for path in paths)
