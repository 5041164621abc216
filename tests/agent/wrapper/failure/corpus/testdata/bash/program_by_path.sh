#!/usr/bin/env bash
#: fails tool:8
set -e
bin=$(dirname "$(command -v tool)")
"$bin/tool" --install #=> tool:8
