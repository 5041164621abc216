#!/usr/bin/env bash
#: fails inner:3
set -e
outer_of() { echo "<$1>"; }
echo start
value=$(outer_of "$(inner)")
echo "$value"
rmdir "$value" #=> rmdir:1
