#!/usr/bin/env bash
die() { echo "$*" >&2; exit 1; }
echo start
no-such-program --version 2>/dev/null || die "not there" #=> no-such-program:127
