#!/usr/bin/env bash
#: fails rsync:23
set -e
trap 'echo interrupted; exit 130' INT TERM
echo copying
rsync -a a b #=> rsync:23
