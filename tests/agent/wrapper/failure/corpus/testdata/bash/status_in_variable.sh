#!/usr/bin/env bash
#: fails make:2
make all >make.log 2>&1 #=| ?make:2
status=$?
cat make.log
if [ "$status" -ne 0 ]; then
    echo "make ended with $status"
    exit "$status" #=> ?make:2
fi
make install
