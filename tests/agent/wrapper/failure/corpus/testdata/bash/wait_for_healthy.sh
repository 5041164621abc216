#!/usr/bin/env bash
#: fails curl:7
set -e
healthy=no
for i in 1 2 3; do
    if curl -fsS http://localhost/health; then
        healthy=yes
        break
    fi
done
if [ "$healthy" = no ]; then #=| ?curl:7
    echo "not healthy after $i tries"
    exit 1 #=> ?curl:7
fi
