#!/usr/bin/env bash
#: fails helm:1
die() {
    local frame
    frame=$(caller 0)
    echo "died at ${frame%% *}" >&2
    exit 1
}
echo start
helm upgrade app || die #=> helm:1
