#!/usr/bin/env bash
#: fails docker:125
set -e
text='one
two
exit 1
three'
echo "$text"
docker pull "$text" #=> docker:125
