#!/usr/bin/env bash
#: run @ false
echo never
