#!/usr/bin/env bash
set -e
work=$(mktemp -d /nonexistent/XXXXXX) #=> mktemp:1
echo "$work"
