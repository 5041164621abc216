#!/usr/bin/env bash
#: fails apt-get:100
check_result() {
    if [ $1 -ne 0 ]; then
        echo "Error: $2"
        exit $1
    fi
}
set_default() {
    eval $1=$2
}
set_default port 80
echo "port $port"
apt-get install -y ca-certificates #=| ?apt-get:100
check_result $? "Package installation failed" #=> ?apt-get:100
. /nonexistent/upgrade.conf
