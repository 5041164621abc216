#!/bin/sh
# Stands in for the program whose name it bears: notes the call, and fails at the one that is to fail.
name=${0##*/}
echo "$name $*" >>/run/stubs/calls
call=$(wc -l </run/stubs/calls)
if [ "$call" -eq "$(cat /run/stubs/point)" ]; then
    echo "$name: stubbed to fail" >&2
    exit 7
fi
case $name in
sudo)
    while [ "${1#-}" != "${1:-}" ]; do shift; done
    exec "$@"
    ;;
curl | wget)
    while [ $# -gt 0 ]; do
        case $1 in
        -o | -O | --output) [ -z "${2:-}" ] || [ "$2" = - ] || echo stub >"$2" ;;
        -w | --write-out) echo 200 ;;
        esac
        shift
    done
    printf '%s\n' v99.1.2 '{"tag_name": "v99.1.2", "version": "99.1.2"}'
    ;;
docker | docker-compose | node | npm | go | java) echo "$name version 99.1.2, build 1" ;;
systemctl) echo active ;;
esac
exit 0
