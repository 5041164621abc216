#!/usr/bin/env bash
#: run @ env BASH_ENV=./own bash install.sh
#: file own exit 3
echo never
