#!/usr/bin/env bash
#: fails systemctl:3
echo "Starting"
systemctl restart app #=> systemctl:3
