#!/usr/bin/env bash
#: fails docker:1
set -e
echo start
command docker pull app #=> docker:1
