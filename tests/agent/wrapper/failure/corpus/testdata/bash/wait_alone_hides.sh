#!/usr/bin/env bash
#: fails migrate:11 check-it:5
set -e
migrate &
wait
check-it #=> check-it:5
