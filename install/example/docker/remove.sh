#!/bin/sh
# Takes away Acme Board's containers, and what Rollcall's install.sh made for it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
(CDPATH='' cd -- "${1:-/srv/acme}" && ${COMPOSE:-docker compose} down)
exec "$here/rollcall/install/uninstall.sh" --product "Acme Board" --yes
