#!/usr/bin/env bash
#: fails deploy:17
set -e
on_exit() {
    local status=$?
    if [ "$status" -ne 0 ]; then
        echo "The installation failed with $status."
    fi
    rm -f lock
    exit "$status"
}
trap on_exit EXIT
touch lock
deploy --all #=> deploy:17
