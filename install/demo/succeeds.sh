#!/usr/bin/env bash
# A vendor's installer that goes well.
set -e
echo "Acme Board: checking the machine"
echo "Acme Board: unpacking"
sleep 1
echo "Acme Board: ready"
