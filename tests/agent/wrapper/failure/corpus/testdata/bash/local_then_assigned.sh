#!/usr/bin/env bash
#: fails curl:7
set -e
install_app() {
    local version
    version=$(curl -fsS https://example.org/latest) #=> curl:7
    echo "version $version"
}
echo start
install_app #=| ?curl:7
