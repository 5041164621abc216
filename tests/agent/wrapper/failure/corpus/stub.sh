#!/bin/sh
# Stands in for the program whose name it bears. Says what it was asked for, and fails as told:
# each line of the file `fails` beside it is a program, an exit code and, if only one call fails, which.
name=${0##*/} here=${0%/*}
echo "$*" >>"$here/$name.calls"
call=$(wc -l <"$here/$name.calls")
[ ! -e "$here/$name.reads" ] || cat >/dev/null
while read -r failing code at; do
    if [ "$failing" = "$name" ] && [ "${at:-$call}" -eq "$call" ]; then
        echo "$name: failed" >&2
        exit "$code"
    fi
done <"$here/fails"
if [ "$name" = sudo ]; then
    exec "$@"
elif [ -e "$here/$name.prints" ]; then
    cat "$here/$name.prints"
else
    echo "$name: $*"
fi
