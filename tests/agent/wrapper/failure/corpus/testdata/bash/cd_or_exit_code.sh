#!/usr/bin/env bash
set -u
echo start
cd /nonexistent/app || exit 5 #=> ?cd:1
