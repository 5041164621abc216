#!/usr/bin/env bash
#: fails yarn:1
mkdir -p web
cd web && yarn install || { echo "yarn failed"; exit 1; } #=> yarn:1
