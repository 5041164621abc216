#!/usr/bin/env bash
#: fails helm:1
set -e
shopt -s expand_aliases
alias h='helm --debug'
echo start
h upgrade app #=> helm:1
