#!/usr/bin/env bash
#: fails tee-root:1
#: reads tee-root
set -e
tee-root conf >/dev/null <<'EOF' #=> tee-root:1 +4
[server]
port = 80
exit 3
EOF
echo written
