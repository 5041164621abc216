#!/usr/bin/env bash
set -e
echo start
no-such-program --version #=> no-such-program:127
