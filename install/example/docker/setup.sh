#!/bin/sh
# What Acme ships where its product runs in containers: this file, its own installer, and Rollcall's archive
# unpacked beside them as `rollcall/`. The operator runs: sudo ./setup.sh [FOLDER]. It asks nothing.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${1:-/srv/acme}

# One docker.env is for all: for the product, for the heartbeat beside it, and for Rollcall on this machine.
umask 027
mkdir -p "$folder"
[ -e "$folder/docker.env" ] || cp "$here/docker.env" "$folder/docker.env"

# The heartbeat's container sees nothing of this machine, so a refusal found anywhere goes into that file.
# shellcheck source=install/lib/flag.sh
. "$here/rollcall/install/lib/flag.sh"
look_for_refusal rollcall-acme-board "$folder/docker.env"
if [ -n "$why" ]; then
    why='' && look_in_file "$folder/docker.env"
    [ -n "$why" ] || printf '\n%s\n' 'ROLLCALL_DISABLE_TELEMETRY=true' >>"$folder/docker.env"
fi

exec "$here/rollcall/install/install.sh" --product "Acme Board" --product-version 1.4.2 \
    --env-file "$folder/docker.env" --no-service --yes -- "$here/install-acme.sh" "$folder"
