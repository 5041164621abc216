#!/usr/bin/env bash
echo start
true
[ -d nowhere ] && echo there #=> ?[:1
