#!/usr/bin/env bash
error_exit() { echo "$1" >&2; exit 1; }
free=10 need=2048
echo "checking"
if ((free < need)); then #=| -
    error_exit "only $free MB are free" #=> -
fi
