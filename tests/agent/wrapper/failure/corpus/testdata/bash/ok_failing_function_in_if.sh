#!/usr/bin/env bash
set -e
check() { false; echo "went on"; }
if check; then echo yes; fi
