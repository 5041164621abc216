#!/usr/bin/env bash
usage() { echo "usage: $0"; exit "${1:-0}"; }
set -- --help
case $1 in --help) usage ;; *) usage 2 ;; esac
