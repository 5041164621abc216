#!/usr/bin/env bash
set -u
echo start
echo "Installing to $PREFIX_OF_APP" #=> -
echo done
