#!/usr/bin/env bash
#: fails copy:1
step() {
    copy a #=| copy:1
}
main() {
    step #=| copy:1
}
main "$@" || exit 1 #=> copy:1
