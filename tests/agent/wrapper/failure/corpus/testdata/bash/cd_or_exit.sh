#!/usr/bin/env bash
echo start
cd nowhere || exit #=> ?cd:1
echo there
