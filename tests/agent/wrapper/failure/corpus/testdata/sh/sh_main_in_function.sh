#!/bin/sh
#: fails apk:99
main() {
    echo start
    apk add jq #=? apk:99
}
set -e
main "$@"
