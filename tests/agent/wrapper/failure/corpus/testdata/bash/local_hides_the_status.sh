#!/usr/bin/env bash
#: fails curl:7
set -e
install_app() {
    local version=$(curl -fsS https://example.org/latest)
    echo "version $version"
    mv "app-$version" app #=> mv:1
}
install_app
