#!/usr/bin/env bash
#: fails deploy:17
set -e
trap 'echo "sorry"; exit 1' EXIT
deploy --all #=> deploy:17
