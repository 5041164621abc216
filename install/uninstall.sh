#!/bin/sh
# Removes every file that install.sh made, even after half an installation.
# shellcheck disable=SC1091,SC2154 # the parts in lib/ share their names with this one
# zsh reads a script in its own language, unless it is told otherwise.
[ -z "${ZSH_VERSION-}" ] || emulate sh

usage='usage: uninstall.sh [--product NAME] [--user] [--yes] [--purge]

  --product NAME  the name that was given to install.sh
  --user          remove what install.sh --user made; without root this is so anyway
  --yes           ask no questions
  --purge         also remove a docker.env that turns telemetry off; without --purge it stays, so
                  that telemetry is off in the next installation too'

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=install/lib/names.sh
. "$here/lib/names.sh"
# shellcheck source=install/lib/flag.sh
. "$here/lib/flag.sh"

wrong_use() {
    printf 'uninstall.sh: %s; see uninstall.sh --help\n' "$1" >&2
    exit 2
}

product='' user='' yes='' purge=''
# The copy that install.sh leaves in .../NAME/install knows its NAME from there.
case $here in */rollcall*/install) [ ! -L "${here%/*}/current" ] || product=$(basename "${here%/*}") ;; esac
while [ $# -gt 0 ]; do
    case $1 in
    --product)
        [ $# -gt 1 ] && [ -n "$2" ] || wrong_use "$1 takes a value"
        product=$2
        shift
        ;;
    --user) user=yes ;;
    --yes) yes=yes ;;
    --purge) purge=yes ;;
    --help | -h) printf '%s\n' "$usage" && exit ;;
    *) wrong_use "unknown option $1" ;;
    esac
    shift
done
name=$(name_of "${product:-rollcall}") || wrong_product

if [ "$(id -u)" = 0 ]; then
    [ -z "$user" ] || wrong_use "--user is for an ordinary user, and you are root: leave it out"
    places_of_machine "$name"
    if [ -e "/usr/share/$name/pyvenv.cfg" ]; then
        say "nothing was removed: $name is the Debian package; to remove it: apt-get purge $name"
        exit 1
    fi
else
    places_of_user "$name" || wrong_use "there is no home directory: HOME is not set to one"
fi

ask() {
    [ -z "$yes" ] && [ -t 0 ] && [ -t 2 ] || return 0
    printf 'Remove %s: %s, %s, %s, %s and its service? [y/N] ' "$name" "$root" "$command" "$config" "$state" >&2
    read -r answer
    case $answer in [Yy] | [Yy][Ee][Ss]) ;; *) say "nothing was removed" && exit 1 ;; esac
}

left='' removed='' kept=''
remove() { # FILE...
    for gone; do
        if [ -e "$gone" ] || [ -L "$gone" ]; then
            removed=yes
            rm -rf "$gone" || left="$left $gone"
        fi
    done
}

stop_service() {
    systemd_runs || return 0
    $manager --quiet disable --now "$name-env.path" "$name-env.service" "$name.service" 2>/dev/null
    return 0
}

remove_service() {
    for part in "$name.service" "$name-env.path" "$name-env.service"; do
        remove "$units/$part" "$units/$part.new" "$units/$part.d"
        for target in multi-user default; do remove "$units/$target.target.wants/$part"; done
    done
    empty_directories "$units/multi-user.target.wants" "$units/default.target.wants"
    [ -z "$user_mode" ] || empty_directories "$units" "${units%/*}"
    systemd_runs || return 0
    $manager daemon-reload
    $manager reset-failed "$name.service" "$name-env.path" "$name-env.service" 2>/dev/null
    return 0
}

# Our daemons, beats and flushes that still run. Never a wrap, because its command would end with it;
# and nothing in a container, where the same path is another installation.
our_processes() {
    here_run=$(readlink "/proc/$$/ns/pid")
    grep -lsF "$root/" /proc/[0-9]*/cmdline | while read -r process; do
        case $(tr '\0' ' ' 2>/dev/null <"$process") in
        "$root/"*' -m agent daemon '* | "$root/"*' -m agent beat '* | "$root/"*' -m agent flush '*)
            process=${process%/cmdline}
            [ "$(readlink "$process/ns/pid")" != "$here_run" ] || printf '%s\n' "${process#/proc/}"
            ;;
        esac
    done
}

end_processes() {
    for signal in TERM TERM KILL; do
        pids=$(our_processes)
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086 # one word each
        kill -s "$signal" $pids 2>/dev/null
        sleep 1
    done
}

# Only the user that our sysusers.d file made; its home directory tells. Debian's `su` leaves /usr/sbin out of PATH.
remove_user() {
    [ -n "$sysusers" ] && [ -e "$sysusers" ] || return 0
    PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
    case $(getent passwd "$name" || grep "^$name:" /etc/passwd) in
    *:"/var/lib/$name":*)
        { userdel "$name" || deluser "$name"; } >/dev/null 2>&1 || left="$left user:$name"
        ;;
    esac
    remove "$sysusers" "$sysusers.new"
    empty_directories "${sysusers%/*}"
}

remove_command() {
    if is_our_command; then remove "$command"; fi
    remove "$command.new"
}

remove_config() {
    file=$config/docker.env
    remove "$config/write-key" "$config/write-key.new" "$file.new" "$file".*.new
    why=''
    [ ! -e "$file" ] || look_in_file "$file" # the target of a link may be gone
    if [ -n "$why" ] && [ -z "$purge" ]; then
        kept=yes
        say "kept: $file, because it turns telemetry off; --purge removes it too"
    else
        remove "$file"
    fi
    empty_directories "$config"
}

empty_directories() { rmdir "$@" 2>/dev/null || true; }

user_mode=''
[ -n "$sysusers" ] || user_mode=yes
ask
stop_service
remove_service
end_processes
remove_command
remove_config
remove_user
remove "$state"
remove "$root"
[ -z "$user_mode" ] || empty_directories "${command%/*}" "${root%/*}" "${state%/*}" "${config%/*}" \
    "$HOME/.local" "$HOME/.config"
if [ -n "$left" ]; then
    say "could not remove:$left"
    exit 1
fi
if [ -n "$removed" ]; then
    say "removed"
elif [ -n "$kept" ]; then
    say "nothing else of it is here"
else
    say "nothing of it is here: neither $root, $command, $config nor $state"
fi
