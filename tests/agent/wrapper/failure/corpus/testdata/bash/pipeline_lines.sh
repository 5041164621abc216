#!/usr/bin/env bash
#: fails transform:4
#: reads transform
set -eo pipefail
echo "rows" |
    transform --quick | #=| transform:4
    cat >rows.txt #=> transform:4 -2
echo done
