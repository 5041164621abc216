#!/usr/bin/env bash
set -e
cleanup() {
    rm -r nowhere #=> ?rm:1
}
trap cleanup EXIT
echo "all well"
