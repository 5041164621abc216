#!/usr/bin/env bash
#: fails helm:1@2
set -Ee
on_error() {
    local status=$? line=$1
    echo "line $line ended with $status" >&2
    exit "$status"
}
trap 'on_error $LINENO' ERR
deploy() {
    helm repo add app https://example.org
    helm install app app/app #=> helm:1
}
deploy
