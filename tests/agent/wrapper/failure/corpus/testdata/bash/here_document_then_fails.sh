#!/usr/bin/env bash
#: fails nginx:1
set -e
cat >conf <<EOF
exit 1
false
die "no"
EOF
nginx -t -c conf #=> nginx:1
