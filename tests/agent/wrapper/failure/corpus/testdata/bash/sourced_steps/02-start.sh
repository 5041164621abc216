echo "starting"

docker compose up -d #=> docker:1
echo "started"
