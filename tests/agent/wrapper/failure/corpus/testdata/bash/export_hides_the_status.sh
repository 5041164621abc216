#!/usr/bin/env bash
#: fails curl:7 psql:2
set -e
export VERSION=$(curl -fsS https://example.org/latest)
readonly EDITION=$(curl -fsS https://example.org/edition)
declare EXTRA=$(curl -fsS https://example.org/extra)
echo "$VERSION$EDITION$EXTRA"
psql -c 'SELECT 1' #=> psql:2
