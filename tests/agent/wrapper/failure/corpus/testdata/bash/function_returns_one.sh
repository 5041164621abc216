#!/usr/bin/env bash
#: fails psql:2
migrate() {
    echo migrating
    psql -f schema.sql || return 1 #=> ?psql:2
    echo migrated
}
set -e
echo start
migrate #=| ?psql:2
echo done
