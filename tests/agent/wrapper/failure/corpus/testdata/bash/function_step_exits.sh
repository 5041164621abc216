#!/usr/bin/env bash
#: fails apt-get:100
install_docker() {
    echo "Installing Docker"
    if ! apt-get install -y docker.io; then #=| apt-get:100
        echo "could not install Docker"
        exit 1 #=> apt-get:100
    fi
}
check_system() {
    echo checking
}
check_system
install_docker #=| apt-get:100
echo installed
