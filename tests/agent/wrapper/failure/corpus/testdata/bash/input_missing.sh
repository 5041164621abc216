#!/usr/bin/env bash
set -e
echo start
sort <nowhere #=> ?sort:1
