#!/usr/bin/env bash
echo start
mkdir -p a
