#!/usr/bin/env bash
#: fails two:2
result=0
echo one || result=1
two || result=1 #=| ?two:2
echo three || result=1
exit $result #=> ?two:2
