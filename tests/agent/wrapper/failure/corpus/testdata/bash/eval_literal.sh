#!/usr/bin/env bash
#: fails docker:1
set -e
command_line="docker compose up -d"
echo start
eval "$command_line" #=> docker:1
