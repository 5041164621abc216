#!/bin/sh
/bin/true
/usr/bin/[ -e nowhere ] || exit 2 #=? -
