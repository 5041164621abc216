#!/usr/bin/env bash
#: fails helm:1
set -e
step() {
    set -x
    helm upgrade app #=> helm:1
    set +x
}
step
