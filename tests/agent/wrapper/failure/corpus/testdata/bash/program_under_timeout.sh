#!/usr/bin/env bash
#: fails docker:1
set -e
timeout 60 docker pull app #=> timeout:1|docker:1
