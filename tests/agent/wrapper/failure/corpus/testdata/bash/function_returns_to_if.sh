#!/usr/bin/env bash
#: fails psql:2
migrate() {
    psql -f schema.sql || return 1 #=| ?psql:2
    echo migrated
}
echo start
if ! migrate; then #=| ?psql:2
    echo "the migration failed"
    exit 1 #=> ?psql:2
fi
