#!/usr/bin/env bash
. ./check.sh || exit 4 #=> -
echo checked
