# shellcheck shell=sh
# docker.env and the write key. Sourced, and run in a shell that stops at the first error (set -e).
# shellcheck disable=SC2154 # given: what install.sh was told, and the places of NAME

ready_settings() {
    mkdir -p "$config"
    ready_env_file
    [ -z "$key_file" ] || ready_key
    set --
    [ -z "$product" ] || set -- "$@" "ROLLCALL_PRODUCT=$product"
    [ -z "$product_version" ] || set -- "$@" "ROLLCALL_PRODUCT_VERSION=$product_version"
    [ -z "$usage_version" ] || set -- "$@" "ROLLCALL_USAGE_VERSION=$usage_version"
    [ -z "$endpoint" ] || set -- "$@" "ROLLCALL_ENDPOINT=$endpoint"
    [ -z "$key_file" ] || set -- "$@" "ROLLCALL_WRITE_KEY_FILE=$config/write-key"
    [ $# -eq 0 ] || "$environment/bin/python" -I "$here/lib/settings.py" "$config/docker.env" "$@"
}

# A key that is the same is left alone: for another one the service restarts.
ready_key() {
    cmp -s "$key_file" "$config/write-key" 2>/dev/null || put "$config/write-key" 600 <"$key_file"
    chmod 600 "$config/write-key"
}

# What a newer agent reports in addition is sent only once somebody saw it. Nobody sees an unattended upgrade, nor
# what goes into a pipe.
show_news() {
    [ -t 2 ] && [ -f "$state/instance.json" ] || return 0
    (cd / && ROLLCALL_STATE_DIR=$state "$command" preview --new) >/dev/null || true
}

# A link to the vendor's file, or else a file of our own, which is made once and never replaced.
ready_env_file() {
    file=$config/docker.env
    if [ -z "$env_file" ] || [ "$env_file" = "$file" ]; then
        [ -e "$file" ] || [ -L "$file" ] || {
            say "making $file"
            put "$file" 600 <"$sources/docker.env.example"
        }
    elif [ -L "$file" ] || [ ! -e "$file" ] || cmp -s "$file" "$sources/docker.env.example"; then
        say "$file now points to $env_file"
        ln -sf "$env_file" "$file.new"
        mv -f "$file.new" "$file"
    else
        say "$file has its own settings: move them to $env_file, delete $file, and run this again"
        exit 1
    fi
}
