#!/usr/bin/env bash
set -e
printf '#!/bin/sh\nexit 3\n' >'my tool'
chmod +x 'my tool'
'./my tool' #=> -
