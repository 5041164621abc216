#!/usr/bin/env bash
set -e
check() {
    echo checking
    local token=${APP_TOKEN?}; echo "$token" #=> -
}
check
