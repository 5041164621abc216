#!/usr/bin/env bash
#: fails unpack:3
set -e
cleanup() {
    rmdir /nonexistent/work
    umount /nonexistent/mnt
}
trap cleanup EXIT
echo start
unpack archive #=> unpack:3
