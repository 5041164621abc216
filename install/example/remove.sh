#!/bin/sh
# Takes away Acme Board, and what Rollcall's install.sh made for it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
rm -rf "${1:-/srv/acme}"
exec "$here/rollcall/install/uninstall.sh" --product "Acme Board" --yes
