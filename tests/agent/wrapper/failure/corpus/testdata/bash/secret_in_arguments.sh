#!/usr/bin/env bash
#: fails login:1
set -e
password=$(printf 'hunter2')
login --password "$password" https://example.org #=> login:1
