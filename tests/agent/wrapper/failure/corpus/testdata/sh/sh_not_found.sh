#!/bin/sh
set -e
no-such-program #=? ?no-such-program:127
