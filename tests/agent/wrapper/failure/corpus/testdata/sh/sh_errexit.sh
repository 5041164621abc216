#!/bin/sh
#: fails psql:3
set -eu
echo start
psql -l #=? psql:3
