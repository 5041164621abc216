#!/usr/bin/env bash
#: fails install-it:4
set -e
(exit 9) &
install-it #=> install-it:4
wait
