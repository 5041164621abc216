#!/usr/bin/env bash
#: fails psql:2
main() {
    echo start
    psql -l >/dev/null || return 3 #=| ?psql:2
    echo end
}
main "$@" #=| ?psql:2
exit $? #=> ?psql:2
