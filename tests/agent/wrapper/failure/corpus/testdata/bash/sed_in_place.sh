#!/usr/bin/env bash
set -e
echo start
sed -i 's/a/b/' nowhere.conf #=> sed:2
