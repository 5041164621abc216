#!/usr/bin/env bash
write_line() {
    echo "$1" >>/nonexistent/dir/file || exit 1 #=> ?echo:1
}
echo start
write_line one #=| ?echo:1
