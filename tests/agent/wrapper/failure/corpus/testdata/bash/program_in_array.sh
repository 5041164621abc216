#!/usr/bin/env bash
#: fails podman:125
set -e
engine=(podman --log-level=error)
"${engine[@]}" run app #=> podman:125
