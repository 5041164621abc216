#!/usr/bin/env bash
#: fails make:2
set -e
env CC=gcc make install #=> env:2|make:2
