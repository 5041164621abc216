#!/usr/bin/env bash
#: run @ bash -r install.sh
set -e
echo start
cd / #=? ?cd:1
