#!/usr/bin/env bash
#: fails curl:37
die() {
    echo "$1" >&2
    exit 1
}
fetch() {
    curl -fsS "$1" -o "$2" || die "no $1" #=> curl:37
}
install_db() {
    mkdir -p db
    fetch file:///db.tar db/db.tar
}
main() {
    install_db
    echo "done"
}
main "$@"
