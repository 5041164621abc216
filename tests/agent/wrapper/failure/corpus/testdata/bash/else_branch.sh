#!/usr/bin/env bash
#: fails yum:1
set -e
if [ -e /nonexistent/apt ]; then
    apt-get install -y jq
elif [ -e /nonexistent/apk ]; then
    apk add jq
else
    yum install -y jq #=> yum:1
fi
