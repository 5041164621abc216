#!/usr/bin/env bash
#: fails third:3
set -e
true &&
    echo second &&
    third #=> third:3 -2
