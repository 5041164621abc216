#!/usr/bin/env bash
#: fails helm:9
fail() {
    echo "something failed" >&2
    exit 70
}
trap fail ERR
echo start
helm install app app/app #=> helm:9
echo installed
