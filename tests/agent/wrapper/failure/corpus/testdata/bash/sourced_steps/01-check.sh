echo "checking"
docker info >/dev/null
