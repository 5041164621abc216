#!/usr/bin/env bash
#: fails systemctl:5
systemctl daemon-reload || { echo "systemd is broken"; exit 1; } #=> systemctl:5
echo reloaded
