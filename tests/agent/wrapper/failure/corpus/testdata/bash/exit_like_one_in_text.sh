#!/usr/bin/env bash
cat <<'EOF'
exit 5
EOF
printf 'exit 5\n'
# exit 5
if false; then exit 5; fi
exit 5 #=> -
