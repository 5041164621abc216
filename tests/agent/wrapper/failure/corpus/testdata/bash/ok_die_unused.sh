#!/usr/bin/env bash
die() { echo "$*"; exit 1; }
true || die "never"
