#!/usr/bin/env bash
#: run @ bash -c 'exit 3'
echo never
