#!/usr/bin/env bash
#: fails snap:1
set -e
function say { echo "* $1"; }
function install_snap {
    say "snap"
    snap install app #=> snap:1
}
say start
install_snap
