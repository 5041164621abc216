#!/usr/bin/env bash
#: fails openssl:1
die() {
    echo "$1" >&2
    exit 1
}
mkdir -p conf
secret=$(openssl rand -hex 32) || die "no randomness" #=> openssl:1
echo "SECRET=$secret" >conf/env
