#!/usr/bin/env bash
#: fails list-it:1
set -e
list-it | cat
echo done
