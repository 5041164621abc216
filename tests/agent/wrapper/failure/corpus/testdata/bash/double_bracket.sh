#!/usr/bin/env bash
set -e
mode=wrong
echo start
[[ $mode == right ]] #=> -
echo right
