#!/usr/bin/env bash
#: fails copy:1
set -e
a() { b; }
b() { c; }
c() { d; }
d() { e; }
e() {
    copy x #=> copy:1
}
echo start
a
