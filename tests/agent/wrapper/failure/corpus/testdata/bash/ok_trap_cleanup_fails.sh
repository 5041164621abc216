#!/usr/bin/env bash
trap 'rmdir nowhere 2>/dev/null; true' EXIT
echo done
