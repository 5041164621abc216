#!/usr/bin/env bash
#: fails git:128
{ # the whole script is read before it runs
    die() {
        echo >&2 "$1"
        exit 2
    }
    do_install() {
        echo "=> Downloading"
        command git clone https://example.org/a.git a || { #=| git:128
            echo >&2 "Failed to clone."
            exit 2 #=> git:128
        }
    }
    do_install #=| git:128
}
