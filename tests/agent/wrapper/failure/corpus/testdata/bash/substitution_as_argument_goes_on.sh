#!/usr/bin/env bash
#: fails hostname-of:1
set -e
echo "host $(hostname-of me)"
echo "more"
cp nowhere/conf . #=> cp:1
