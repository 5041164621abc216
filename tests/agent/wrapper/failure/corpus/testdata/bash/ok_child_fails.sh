#!/usr/bin/env bash
bash -c 'exit 4' || echo "child $?"
