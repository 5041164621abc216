#!/usr/bin/env bash
set -e
echo "no archive" >app.tar.gz
tar -xzf app.tar.gz 2>/dev/null #=> tar:2
