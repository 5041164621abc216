#!/usr/bin/env bash
set -e
target=/nonexistent/app
mkdir -p keep
cd "$target" #=> ?cd:1
rm -rf ./*
