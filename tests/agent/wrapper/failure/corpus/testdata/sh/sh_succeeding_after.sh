#!/bin/sh
#: fails docker:1
die() { cat message; exit 1; }
echo sorry >message
docker pull a || die #=? ?docker:1
