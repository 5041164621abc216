#!/usr/bin/env bash
#: fails psql:3
#: reads psql
set -e
user=app
psql -q <<EOF #=> psql:3 +3
CREATE USER $user;
CREATE DATABASE $user;
EOF
echo made
