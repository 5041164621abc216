#!/usr/bin/env bash
errors=()
[ -e /nonexistent/a ] || errors+=("a is missing")
[ -e /nonexistent/b ] || errors+=("b is missing")
if [ "${#errors[@]}" -gt 0 ]; then #=| -
    printf 'error: %s\n' "${errors[@]}"
    exit 1 #=> -
fi
