#!/usr/bin/env bash
#: fails pull:1@2
pull a >a.log 2>&1
pids=()
(exit 0) &
pids+=($!)
(pull b) >b.log 2>&1 &
pids+=($!)
failed=0
for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
done
[ "$failed" -eq 0 ] || exit 1 #=> ?pull:1
