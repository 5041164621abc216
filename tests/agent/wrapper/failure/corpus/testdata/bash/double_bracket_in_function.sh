#!/usr/bin/env bash
set -e
is_right() {
    [[ $1 == right ]] #=| -
}
echo start
is_right wrong #=> -
echo right
