#!/usr/bin/env bash
echo start
: "${APP_TOKEN:?must be set}" #=> -
echo "$APP_TOKEN"
