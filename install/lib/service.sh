# shellcheck shell=sh
# The command, the service and its user. Sourced, and run in a shell that stops at the first error.
# shellcheck disable=SC2034,SC2154 # given: $name, its places, $here, $sources and $environment

ready_command() {
    shell=/bin/sh
    [ ! -x /bin/bash ] || shell='/bin/bash -p'
    text=$(sed -e "1s|.*|#!$shell|" -e "s|@NAME@|$name|g" -e "s|@PYTHON@|$root/current/bin/python|g" \
        "$here/launcher.sh")
    printf '%s\n' "$text" | put "$command" 755
    # What takes it all away again, for when the archive that this came in is gone.
    for file in uninstall.sh lib/names.sh lib/flag.sh; do
        put "$root/install/$file" 755 <"$here/$file"
    done
    [ ! -f "$sources/docs/operations.md" ] ||
        put "$root/docs/operations.md" 644 <"$sources/docs/operations.md"
}

# The installation's events and the service's beats share one state, so its owner comes first.
ready_user() {
    [ -n "$sysusers" ] && wants_service || return 0
    rendered rollcall.sysusers "$environment" "$sysusers"
    systemd-sysusers "$sysusers"
    if [ ! -d "$state" ]; then
        mkdir -m 750 "$state"
        chown "$name:$name" "$state"
    fi
}

wants_service() { [ -z "$no_service" ] && systemd_runs; }

# The units, naming one environment; prints "changed" where they were not so already.
write_units() { # ENVIRONMENT
    before=$(cat_units)
    if [ -z "$sysusers" ]; then
        rendered rollcall-user.service "$1" "$units/$name.service" || return
    else
        for part in .service -env.path -env.service; do
            rendered "rollcall$part" "$1" "$units/$name$part" || return
        done
        point_at_env_file || return
    fi
    [ "$before" = "$(cat_units)" ] || echo changed
}

rendered() { # TEMPLATE ENVIRONMENT FILE
    text=$("$sources/systemd/render" "$1" "$name" "$2/bin/python") && printf '%s\n' "$text" | put "$3" 644
}

cat_units() {
    for file in "$name.service" "$name-env.path" "$name-env.service"; do
        cat "$units/$file" "$units/$file.d/env-file.conf" 2>/dev/null || true
    done
}

# A docker.env that is a symlink to the vendor's: systemd is to read and watch the file itself.
point_at_env_file() {
    if [ ! -L "$config/docker.env" ]; then
        rm -f "$units/$name.service.d/env-file.conf" "$units/$name-env.path.d/env-file.conf"
        return
    fi
    target=$(readlink "$config/docker.env")
    # systemd wants it absolute, without "..". An absolute one is left as it is: what it leads
    # through, such as a link to the current release, may come to lead elsewhere.
    case $target in /*) ;; *) target=$(readlink -f "$config/docker.env") || return ;; esac
    quoted=$(printf '%s\n' "$target" | sed 's/%/%%/g')
    put "$units/$name.service.d/env-file.conf" 644 <<EOT
# Made by install.sh --env-file.
[Service]
LoadCredential=docker.env:$quoted
Environment="ROLLCALL_CREDENTIAL_SOURCE=$quoted"
EOT
    put "$units/$name-env.path.d/env-file.conf" 644 <<EOT
# Made by install.sh --env-file.
[Path]
PathChanged=$quoted
PathModified=$quoted
EOT
}

# Start the service from the environment in use; if it does not come up, go back to its own of before.
start_service() {
    environment=$(in_use) old=$(of_service)
    changed=$(write_units "$environment") || return
    if [ -z "$changed" ] && $manager --quiet is-active "$name.service"; then
        say "the heartbeat runs"
        return
    fi
    bring_up && say "the heartbeat runs: $command status" && return
    say "the heartbeat did not start: see $manager status $name.service"
    [ -n "$old" ] && [ "$old" != "$environment" ] || return 1
    say "going back to the version before"
    write_units "$old" >/dev/null
    use "$old"
    bring_up || true
    return 1
}

SERVICE_SECONDS=30

bring_up() {
    set -- "$name.service"
    [ -z "$sysusers" ] || set -- "$@" "$name-env.path"
    $manager daemon-reload &&
        $manager --quiet enable "$@" &&
        within "$SERVICE_SECONDS" "$(command -v systemctl)" ${user:+--user} restart "$@" 2>/dev/null &&
        $manager --quiet is-active "$name.service"
}

how_to_run_by_hand() {
    if [ -n "$no_service" ]; then
        say "no service was asked for; to send the heartbeat: $command daemon"
    else
        say "there is no systemd to run the heartbeat here; run it by what you have: $command daemon"
    fi
}
