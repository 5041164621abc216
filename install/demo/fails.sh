#!/usr/bin/env bash
# A vendor's installer that fails: the file that `ls` looks for is not there.
set -e
echo "Acme Board: checking the machine"
echo "Acme Board: making the database"
ls /nonexistent/acme-board.sql
echo "Acme Board: ready"
