#!/usr/bin/env bash
echo "This system is not supported."
exit 3 #=> -
