#!/usr/bin/env bash
#: fails psql:2
migrate() {
    echo migrating
    psql -f schema.sql #=| psql:2
}
migrate || exit 1 #=> psql:2
