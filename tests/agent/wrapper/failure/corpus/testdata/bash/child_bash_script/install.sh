#!/usr/bin/env bash
#: fails psql:2
set -e
echo start
bash ./step.sh #=> bash:2
echo end
