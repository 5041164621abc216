#!/usr/bin/env bash
#: fails helm:1
set -ex
echo start
helm upgrade app #=> helm:1
