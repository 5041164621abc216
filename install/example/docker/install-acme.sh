#!/bin/bash
# Acme's own installer: puts compose.yaml beside docker.env, and starts the containers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
state=/var/lib/rollcall-acme-board # Rollcall's, on a machine where this install is reported

say() { echo "Acme Board: $*"; }

say "unpacking into $folder"
cp "$here/rollcall/deploy/compose.yaml" "$folder/compose.yaml"
if [ -d "$state" ]; then
    printf 'ROLLCALL_STATE=%s\nROLLCALL_USER=%s\n' "$state" "$(stat -c %u:%g "$state")" >"$folder/.env"
elif ! grep -q '^ROLLCALL_DISABLE_TELEMETRY=' "$folder/docker.env"; then
    say "this install is not reported; the heartbeat gets an id of its own"
fi
cd "$folder"
${COMPOSE:-docker compose} up -d
say "ready: $folder"
