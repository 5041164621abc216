#!/usr/bin/env bash
#: fails git:128@2
set -e
clone() {
    git clone "$1" || { echo "no clone of $1"; exit 1; } #=> git:128
}
mkdir -p opt
echo 'echo sourced' >opt/env.sh
clone a
source "$PWD/opt/env.sh"
clone b #=| git:128
