#!/usr/bin/env bash
die() { echo "$*" >&2; exit 1; }
cp app.service /nonexistent/systemd/ 2>/dev/null || die "cannot write the unit" #=> cp:1
