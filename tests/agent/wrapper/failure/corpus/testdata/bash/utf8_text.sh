#!/usr/bin/env bash
#: fails docker:125
die() { echo "✗ $*" >&2; exit 1; }
echo "→ Übersicht"
docker pull "ñandú" || die "não deu" #=> docker:125
