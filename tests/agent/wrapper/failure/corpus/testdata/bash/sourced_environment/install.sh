#!/usr/bin/env bash
#: fails migrate:3
set -a
. ./app.env
set +a
die() { echo "$*"; exit 1; }
echo "$APP_NAME"
migrate "$APP_NAME" || die "cannot migrate" #=> migrate:3
