#!/usr/bin/env bash
#: prints curl exit 7
set -e
echo "Installing Docker"
curl -fsSL https://example.org/docker.sh | bash #=> bash:7
echo "docker is there"
