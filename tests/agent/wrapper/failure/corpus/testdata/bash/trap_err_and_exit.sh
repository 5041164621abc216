#!/usr/bin/env bash
#: fails rsync:23
set -eE
trap 'echo "error on $LINENO"' ERR
trap 'rm -rf tmp; echo bye' EXIT
mkdir tmp
sync_files() {
    rsync -a tmp/ host:/srv #=> rsync:23
}
sync_files
echo synced
