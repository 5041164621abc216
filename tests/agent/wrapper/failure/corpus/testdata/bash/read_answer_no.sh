#!/usr/bin/env bash
echo -n "Continue? [y/N] "
read -r answer
if [[ ! $answer =~ ^[Yy]$ ]]; then #=| -
    echo "Aborted."
    exit 1 #=> -
fi
echo go
