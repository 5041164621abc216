# shellcheck shell=sh
# The command, the service and its user. Sourced, and run in a shell that stops at the first error.
# shellcheck disable=SC2034,SC2154 # given: $name, its places, $here, $sources and $environment

# Replaced at once: whoever starts it meanwhile gets the old one or the new one.
put() { # FILE MODE, text on stdin
    mkdir -p "$(dirname "$1")"
    cat >"$1.new"
    chmod "$2" "$1.new"
    mv -f "$1.new" "$1"
}

ready_command() {
    shell=/bin/sh
    [ ! -x /bin/bash ] || shell='/bin/bash -p'
    sed -e "1s|.*|#!$shell|" -e "s|@NAME@|$name|g" -e "s|@PYTHON@|$root/current/bin/python|g" \
        "$here/launcher.sh" | put "$command" 755
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
    "$sources/systemd/render" rollcall.sysusers "$name" "$environment/bin/python" | put "$sysusers" 644
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
        unit rollcall-user.service "$name.service" "$1"
    else
        for part in .service -env.path -env.service; do
            unit "rollcall$part" "$name$part" "$1"
        done
        point_at_env_file
    fi
    [ "$before" = "$(cat_units)" ] || echo changed
}

unit() { # TEMPLATE UNIT ENVIRONMENT
    "$sources/systemd/render" "$1" "$name" "$3/bin/python" | put "$units/$2" 644
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

# Start the service from the new environment; if it does not come up, go back to the one before.
# $before_upgrade is empty on a first installation.
start_service() {
    changed=$(write_units "$environment")
    if [ -z "$changed" ] && $manager --quiet is-active "$name.service"; then
        say "the heartbeat runs"
        return
    fi
    bring_up && say "the heartbeat runs: $command status" && return
    say "the heartbeat did not start: see $manager status $name.service"
    [ -n "$before_upgrade" ] && [ "$before_upgrade" != "$environment" ] || return 1
    say "going back to the version before"
    write_units "$before_upgrade" >/dev/null
    use "$before_upgrade"
    ingredients='' # so that the next run tries the new one again
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
