#!/usr/bin/env bash
#: run @ bash nowhere.sh
echo never
