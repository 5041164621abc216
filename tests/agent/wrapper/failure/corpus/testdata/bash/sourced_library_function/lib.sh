create_database() {
    echo "creating $1"
    psql -c "CREATE DATABASE $1" #=> psql:2
}
