#!/usr/bin/env bash
#: fails mysqldump:2
set -e
echo "Saving"
mysqldump app | gzip >app.sql.gz
echo saved
test -s nothing #=> ?test:1
