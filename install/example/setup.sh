#!/bin/sh
# What Acme ships: this file, its own installer, its settings, and Rollcall's archive unpacked beside
# them as `rollcall/`. The operator runs: sudo ./setup.sh [whatever install-acme.sh takes]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# What the install's events name as Acme Board's version; the service has it from docker.env, see
# "For vendors" in rollcall/docs/installing.md.
export ROLLCALL_PRODUCT_VERSION=1.4.2
exec "$here/rollcall/install/install.sh" --product "Acme Board" \
    --endpoint https://telemetry.acme.example --write-key-file "$here/write-key" \
    -- "$here/install-acme.sh" "$@"
