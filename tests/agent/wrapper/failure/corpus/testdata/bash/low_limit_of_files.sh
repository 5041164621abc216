#!/usr/bin/env bash
#: fails helm:1
set -e
ulimit -n 64
helm upgrade app #=> helm:1
