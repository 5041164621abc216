#!/usr/bin/env bash
#: prints curl exit 7
set -e
echo "Installing Homebrew"
bash -c "$(curl -fsSL https://example.org/brew.sh)" #=> bash:7
echo "brew is there"
