#!/usr/bin/env bash
fatal() {
    echo "[ERROR] $*" >&2
    exit 1
}
arch=$(echo sparc)
case $arch in
    x86_64 | amd64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) fatal "Unsupported architecture $arch" ;; #=> -
esac
