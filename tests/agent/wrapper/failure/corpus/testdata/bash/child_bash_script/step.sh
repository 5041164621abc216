set -e
echo step


psql -l
