#!/usr/bin/env bash
set -e
echo 'echo hello' >tool
./tool #=> tool:126
