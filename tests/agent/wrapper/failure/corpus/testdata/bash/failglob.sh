#!/usr/bin/env bash
shopt -s failglob
echo start
ls ./*.deb #=> -
