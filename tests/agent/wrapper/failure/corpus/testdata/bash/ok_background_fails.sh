#!/usr/bin/env bash
#: fails daemon:1
daemon &
echo "started"
wait $! || echo "it ended with $?"
