#!/usr/bin/env bash
#: fails enable-app:3
die() { echo "$*" >&2; exit 1; }
true && enable-app && echo enabled || die "not enabled" #=> enable-app:3
