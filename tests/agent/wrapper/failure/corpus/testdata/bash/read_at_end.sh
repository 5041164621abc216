#!/usr/bin/env bash
set -e
echo -n "Continue? [y/N] "
read -r answer #=> ?read:1
echo "answer $answer"
