#!/usr/bin/env bash
set -e
echo start
let "count = 5 - 5" #=> ?let:1
echo "$count"
