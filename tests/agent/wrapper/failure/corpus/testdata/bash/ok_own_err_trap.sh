#!/usr/bin/env bash
trap 'echo "err $?"' ERR
false
true
