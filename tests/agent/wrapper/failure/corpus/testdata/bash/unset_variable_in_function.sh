#!/usr/bin/env bash
set -eu
configure() {
    local port=80
    echo "$port"
    echo "${APP_DOMAIN}" #=> -
}
echo start
configure
