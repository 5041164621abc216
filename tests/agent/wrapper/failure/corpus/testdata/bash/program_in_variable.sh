#!/usr/bin/env bash
#: fails docker:1@2
set -e
compose="docker compose"
$compose version
$compose up -d #=> docker:1
