#!/usr/bin/env bash
#: fails restart-it:6
restart-it app || exit #=> restart-it:6
echo up
