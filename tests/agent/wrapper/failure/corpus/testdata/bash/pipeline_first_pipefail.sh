#!/usr/bin/env bash
#: fails mysqldump:2
set -eo pipefail
echo "Saving"
mysqldump app | gzip >app.sql.gz #=> mysqldump:2
echo saved
