#!/usr/bin/env bash
#: fails helm:1
set -e
exec 19>trace.log
BASH_XTRACEFD=19
set -x
helm upgrade app #=> helm:1
