#!/usr/bin/env bash
(exit 3)
echo $?
