#!/usr/bin/env bash
set -x
echo a
false
set +x
echo b
