#!/usr/bin/env bash
set -e
PS3="Which? "
select edition in small large; do #=> -
    echo "$edition"
    break
done 2>/dev/null
test -n "${edition:-}" #=| ?test:1
