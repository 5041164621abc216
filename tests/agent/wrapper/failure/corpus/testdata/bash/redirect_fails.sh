#!/usr/bin/env bash
set -e
echo start
echo "port=80" >/nonexistent/conf #=> ?echo:1
echo written
