#!/usr/bin/env bash
#: fails systemctl:3
main() {
    echo "Starting"
    systemctl restart app #=> systemctl:3
}
main "$@" #=| systemctl:3
