#!/usr/bin/env bash
#: fails wget:4
log() {
    echo "[$1] $2" >&2
}
log_fatal() {
    log FATAL "$1"
    exit 1
}
fatal() {
    log_fatal "$*"
}
log INFO start
wget -q https://example.org/a || fatal "no a" #=> wget:4
log INFO end
