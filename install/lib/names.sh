# shellcheck shell=sh
# NAME, and every place that bears it. Sourced; touches nothing.
# shellcheck disable=SC2034 # what is set here is used by those who source it

MAX_NAME=31 # what useradd and systemd-sysusers accept

say() { printf '%s: %s\n' "${name:-rollcall}" "$*" >&2; }

# `Some Slug` is rollcall-some-slug; a NAME is itself.
name_of() { # PRODUCT
    slug=$(printf '%s\n' "$1" | LC_ALL=C tr '[:upper:]' '[:lower:]' | LC_ALL=C tr -cs 'a-z0-9' '-' |
        sed -e 's/^-*//' -e 's/-*$//')
    case $slug in
    '') return 1 ;;
    *-env | env | *collector) return 1 ;; # other units have these names
    rollcall | rollcall-*) ;;
    *) slug=rollcall-$slug ;;
    esac
    [ "${#slug}" -le "$MAX_NAME" ] || return 1
    printf '%s\n' "$slug"
}

wrong_product() {
    wrong_use "--product takes a name of up to 22 letters, digits and dashes that does not end in -env or collector"
}

# Set the places of an installation for the whole machine.
places_of_machine() { # NAME
    root=/opt/$1
    command=/usr/local/bin/$1
    config=/etc/$1
    state=/var/lib/$1
    units=/etc/systemd/system
    sysusers=/etc/sysusers.d/$1.conf
    manager='systemctl'
}

# The same for this user alone; fails where there is no home directory.
places_of_user() { # NAME
    home=${HOME:-}
    case $home in /?*) ;; *) return 1 ;; esac
    root=$(absolute "${XDG_DATA_HOME:-}" "$home/.local/share")/$1
    command=$home/.local/bin/$1
    config=${XDG_CONFIG_HOME:-$home/.config}/$1
    state=$(absolute "${XDG_STATE_HOME:-}" "$home/.local/state")/$1
    units=$(absolute "${XDG_CONFIG_HOME:-}" "$home/.config")/systemd/user
    sysusers=
    manager='systemctl --user'
}

absolute() { # PATH DEFAULT
    case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$2" ;; esac
}

# Whether $command starts the environment in $root: as install.sh writes it, or as a link made by hand.
is_our_command() {
    case $(readlink "$command" 2>/dev/null) in "$root"/*) return 0 ;; esac
    grep -qsF "$root/current/bin/python" "$command"
}

systemd_runs() {
    [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1 || return 1
    [ "$manager" = systemctl ] || systemctl --user show-environment >/dev/null 2>&1
}
