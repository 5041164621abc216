psql -l
