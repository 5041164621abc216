# shellcheck shell=sh
# The command, the service and its user. Sourced, and run in a shell that stops at the first error.
# shellcheck disable=SC2034,SC2154 # given: $name, its places, $here, $sources and $environment

ready_command() {
    shell=/bin/sh
    [ ! -x /bin/bash ] || shell='/bin/bash -p'
    text=$(sed -e "1s|.*|#!$shell|" -e "s|@NAME@|$name|g" -e "s|@PYTHON@|$root/current/bin/python|g" \
        "$here/launcher.sh")
    printf '%s\n' "$text" | put "$command" 755
    # The uninstaller, for when the archive is gone.
    for file in uninstall.sh lib/names.sh lib/flag.sh; do
        put "$root/install/$file" 755 <"$here/$file"
    done
    [ ! -f "$sources/docs/operations.md" ] ||
        put "$root/docs/operations.md" 644 <"$sources/docs/operations.md"
}

# The units' templates, for when COMMAND has removed the archive.
ready_templates() {
    for file in "$sources/systemd"/*; do
        put "$root/install/systemd/${file##*/}" 755 <"$file"
    done
}

# The wrapper and the service share one state directory, so its owner is made first.
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

# Write the units for one environment; print "changed" if they were different.
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
    note_units
    [ "$before" = "$(cat_units)" ] || echo changed
}

# What the units are like as we made them, for `doctor`.
note_units() {
    digest=$(cat_units | "$python" -I -c 'import hashlib, sys
print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())') && printf '%s\n' "$digest" | put "$root/units.sha256" 644
}

rendered() { # TEMPLATE ENVIRONMENT FILE
    text=$("$root/install/systemd/render" "$1" "$name" "$2/bin/python") && printf '%s\n' "$text" | put_unit "$3"
}

cat_units() {
    for file in "$name.service" "$name-env.path" "$name-env.service"; do
        cat "$units/$file" "$units/$file.d/env-file.conf" 2>/dev/null || true
    done
}

# If docker.env is a symlink to the vendor's file, systemd must read and watch that file.
point_at_env_file() {
    if [ ! -L "$config/docker.env" ]; then
        rm -f "$units/$name.service.d/env-file.conf" "$units/$name-env.path.d/env-file.conf"
        return
    fi
    target=$(readlink "$config/docker.env")
    # systemd wants an absolute path without "..". An absolute target is kept as it is, because a link in
    # it, such as one to the current release, may change later.
    case $target in /*) ;; *) target=$(readlink -f "$config/docker.env") || return ;; esac
    quoted=$(printf '%s\n' "$target" | sed 's/%/%%/g')
    put_unit "$units/$name.service.d/env-file.conf" <<EOT
# Made by install.sh --env-file.
[Service]
LoadCredential=docker.env:$quoted
Environment="ROLLCALL_CREDENTIAL_SOURCE=$quoted"
EOT
    put_unit "$units/$name-env.path.d/env-file.conf" <<EOT
# Made by install.sh --env-file.
[Path]
PathChanged=$quoted
PathModified=$quoted
EOT
}

# Start the service from the environment in use; if that fails, go back to the previous one.
start_service() {
    environment=$(in_use) old=$(of_service)
    changed=$(write_units "$environment") || return
    if [ -z "$changed" ] && $manager --quiet is-active "$name.service"; then
        say_that_it_runs
        return
    fi
    bring_up && say_that_it_runs && return
    say "the heartbeat did not start; see: $manager status $name.service"
    [ -n "$old" ] && [ "$old" != "$environment" ] || return 1
    say "going back to the previous version"
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

# Older ones copy no file for a service, which is silent if it may not read docker.env itself.
COPIES_SINCE=247

say_that_it_runs() {
    text=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9][0-9]*\).*/\1/p')
    if [ -z "$sysusers" ] || [ "${text:-$COPIES_SINCE}" -ge "$COPIES_SINCE" ] || service_reads; then
        say "the heartbeat is running; to see it: $command status"
    else
        say "the heartbeat is running, but silent: systemd $text gives it no copy of $config/docker.env;" \
            "to let it read the file: chgrp $name $config/docker.env && chmod 640 $config/docker.env," \
            "the same for $config/write-key if that is there, then: $manager restart $name.service"
    fi
}

service_reads() {
    [ -n "$({
        find -L "$config/docker.env" -perm -004
        find -L "$config/docker.env" -group "$name" -perm -040
    } 2>/dev/null)" ]
}

how_to_run_by_hand() {
    if [ -n "$no_service" ]; then
        say "no service is installed; to send heartbeats yourself: $command daemon"
    else
        say "there is no systemd here; let your own service manager run: $command daemon"
    fi
}
