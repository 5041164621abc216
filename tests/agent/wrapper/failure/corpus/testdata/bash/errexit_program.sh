#!/usr/bin/env bash
#: fails psql:3
set -euo pipefail
echo "Creating the database"
psql -c 'CREATE DATABASE app' #=> psql:3
echo "Done"
