#!/usr/bin/env bash
# A vendor's installer that fails, at the line that the demo shows.
set -e
echo "Acme Board: checking the machine"
echo "Acme Board: making the database"
ls /nonexistent/acme-board.sql # it fails here
echo "Acme Board: ready"
