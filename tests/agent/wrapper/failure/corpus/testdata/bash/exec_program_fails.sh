#!/usr/bin/env bash
#: fails server:9
echo "handing over"
exec server --run #=> server:9
