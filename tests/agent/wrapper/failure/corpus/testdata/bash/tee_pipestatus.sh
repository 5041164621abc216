#!/usr/bin/env bash
#: fails make:2
make install 2>&1 | tee make.log #=| ?make:2
if [ "${PIPESTATUS[0]}" -ne 0 ]; then #=| ?make:2
    echo "make failed, see make.log"
    exit 1 #=> ?make:2
fi
