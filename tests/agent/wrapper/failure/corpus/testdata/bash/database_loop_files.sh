#!/usr/bin/env bash
#: fails psql:3@2
set -e
mkdir sql
touch sql/1.sql sql/2.sql sql/3.sql
for file in sql/*.sql; do
    echo "$file"
    psql -f "$file" #=> psql:3
done
