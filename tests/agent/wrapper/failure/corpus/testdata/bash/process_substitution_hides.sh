#!/usr/bin/env bash
#: fails list-it:1
die() { echo "$*" >&2; exit 1; }
mapfile -t names < <(list-it --all)
echo "${#names[@]}"
[ "${#names[@]}" -gt 0 ] || die "nothing to install" #=> ?list-it:1
