#!/usr/bin/env bash
echo start
kill -TERM $$ #=? -
