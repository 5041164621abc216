#!/usr/bin/env bash
#: fails systemctl:1
set -e
sudo systemctl restart app #=> sudo:1|systemctl:1
