#!/usr/bin/env bash
#: fails rsync:23
set -e
step() {
    trap 'echo "left step"' RETURN
    true
}
step
rsync -a a b #=> rsync:23
