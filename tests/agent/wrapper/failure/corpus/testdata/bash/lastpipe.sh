#!/usr/bin/env bash
#: fails helm:1
set -e
shopt -s lastpipe
printf '%s\n' a b | while read -r name; do
    helm install "$name" #=> helm:1
done
