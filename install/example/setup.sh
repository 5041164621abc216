#!/bin/sh
# What Acme ships: this file, its own installer, its settings, and Rollcall's archive unpacked beside
# them as `rollcall/`. The operator runs: sudo ./setup.sh [whatever install-acme.sh takes]
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
exec "$here/rollcall/install/install.sh" --product "Acme Board" --product-version 1.4.2 \
    --endpoint https://telemetry.acme.example --write-key-file "$here/write-key" \
    -- "$here/install-acme.sh" "$@"
