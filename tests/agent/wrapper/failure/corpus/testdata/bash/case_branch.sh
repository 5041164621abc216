#!/usr/bin/env bash
#: fails dnf:1
set -e
id=fedora
case $id in
    debian | ubuntu)
        apt-get install -y jq
        ;;
    fedora | rhel)
        dnf install -y jq #=> dnf:1
        ;;
esac
