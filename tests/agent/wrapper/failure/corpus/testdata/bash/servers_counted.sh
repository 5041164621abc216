#!/usr/bin/env bash
#: fails ssh:255@2
failed=0
for server in a b c; do
    ssh -n "$server" true || failed=$((failed + 1))
done
echo "$failed failed"
if [ "$failed" -gt 0 ]; then #=| ?ssh:255
    exit 1 #=> ?ssh:255
fi
