#!/usr/bin/env bash
write_conf() {
    echo "writing"
    [ -f missing.conf ] && cp missing.conf conf #=> ?[:1
}
set -e
write_conf #=| ?[:1
echo written
