#!/bin/sh
# Installs Rollcall on this machine, and COMMAND with it. See docs/installing.md.
# shellcheck disable=SC1091,SC2034,SC2154 # the parts in lib/ share their names with this one
# zsh reads a script in its own language, unless it is told otherwise.
[ -z "${ZSH_VERSION-}" ] || emulate sh

# With a flag nothing here matters to COMMAND, not even an option that is wrong. It gets the environment as it was:
# a variable that is set here may be one that the caller exports, so this is a subshell.
if (
    here=$(dirname -- "$0") product=rollcall env_file=''
    case $0 in *.sh) [ -r "$here/lib/flag.sh" ] && [ -r "$here/lib/names.sh" ] || exit ;; *) exit 1 ;; esac
    . "$here/lib/flag.sh"
    . "$here/lib/names.sh"
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        case $1 in
        --product) product=${2:-} ;;
        --env-file) env_file=${2:-} ;;
        esac
        shift
    done
    [ $# -gt 1 ] || exit # there is no COMMAND
    look_for_refusal "$(name_of "$product" || echo rollcall)" "$env_file"
    [ -n "$why" ]
); then
    while [ "$1" != -- ]; do shift; done
    shift
    exec "$@"
fi

# For COMMAND: what the caller exports, before a variable of ours has the name of one of theirs.
rollcall_theirs=$(export -p)
(eval "$rollcall_theirs") >/dev/null 2>&1 || rollcall_theirs=''

usage='usage: install.sh [--product NAME] [--product-version V] [--usage-version N] [--endpoint URL]
                  [--write-key-file F] [--env-file PATH] [--user] [--no-service] [--yes] [--demo [--once]] [-- COMMAND...]

  --product NAME       name of the software; two products on one machine share nothing
  --product-version V  its version, for events and status; give the new one with each upgrade
  --usage-version N    version of what its usage events say; a newer one needs a new yes
  --endpoint URL       where events are sent; without it they wait on this machine
  --write-key-file F   file with the write key; the key is copied to a file that only root can read
  --env-file PATH      use this docker.env, for the settings and for the flag
  --user               install for this user only, without root
  --no-service         install no systemd unit; you run the heartbeat yourself, or not at all
  --yes                ask no questions
  --demo [--once]      show Rollcall at work in this folder, without root; --once ends by itself
  COMMAND              the installer to run and to report; its exit code is the one you get

DISABLE_TELEMETRY, *_DISABLE_TELEMETRY or DO_NOT_TRACK, in the environment or in a docker.env, turns
all of it off: nothing is made or fetched, and COMMAND runs as if you had run it yourself.'

here=$(CDPATH='' cd -P -- "$(dirname -- "$0")" 2>/dev/null && pwd) || here=/nonexistent
case $0 in *.sh) ;; *) here=/nonexistent ;; esac # from a pipe: the files in this folder are not ours
sources=${here%/*}
product='' product_version='' usage_version='' endpoint='' key_file='' env_file=''
user='' no_service='' yes='' demo='' once='' why='' code=''

wrong_use() {
    printf 'install.sh: %s; see install.sh --help\n' "$1" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --product | --product-version | --usage-version | --endpoint | --write-key-file | --env-file)
        [ $# -gt 1 ] && [ -n "$2" ] || wrong_use "$1 takes a value"
        case $1 in
        --product) product=$2 ;;
        --product-version) product_version=$2 ;;
        --usage-version) usage_version=$2 ;;
        --endpoint) endpoint=$2 ;;
        --write-key-file) key_file=$2 ;;
        --env-file) env_file=$2 ;;
        esac
        shift
        ;;
    --user) user=yes ;;
    --no-service) no_service=yes ;;
    --yes) yes=yes ;;
    --demo) demo=yes ;;
    --once) once=yes ;;
    --help | -h) printf '%s\n' "$usage" && exit ;;
    --) shift && break ;;
    *) wrong_use "unknown option $1 (COMMAND comes after --)" ;;
    esac
    shift
done

with_their_environment() { # COMMAND...
    # bash goes on after a read-only SHELLOPTS, with a message.
    { eval "$rollcall_theirs"; } 2>/dev/null
    exec "$@"
}

# Run COMMAND as if it were alone, although nothing of ours works.
plainly() { # COMMAND...
    [ $# -gt 0 ] || exit "${code:-1}"
    with_their_environment "$@"
}

for file in names flag python packed files environment settings service; do
    if [ ! -r "$here/lib/$file.sh" ]; then
        echo "rollcall: lib/$file.sh is not beside install.sh, so nothing is installed" >&2
        plainly "$@"
    fi
    # shellcheck source=/dev/null
    . "$here/lib/$file.sh"
done

name=$(name_of "${product:-rollcall}") ||
    wrong_product
case $env_file in # without a . or .. in the middle, which would be in doubt
'' | /*) ;;
../*) folder=$(CDPATH='' cd -P -- "${env_file%/*}" 2>/dev/null && pwd) && env_file=$folder/${env_file##*/} ;;
*) env_file=$PWD/${env_file#./} ;;
esac

look_for_refusal "$name" "$env_file"
if [ -n "$why" ]; then
    [ $# -eq 0 ] || with_their_environment "$@"
    say "telemetry is off ($why), so nothing is installed"
    [ -z "$demo" ] || exit 1
    exit 0
fi

case ${endpoint:-http://x} in
http://?* | https://?*) ;;
*) wrong_use "--endpoint takes a URL such as https://api.segment.io" ;;
esac
for file in "$key_file" "$env_file"; do
    [ -z "$file" ] || { [ -f "$file" ] && [ -r "$file" ]; } || wrong_use "the file $file cannot be read"
done
[ -z "$once" ] || [ -n "$demo" ] || wrong_use "--once needs --demo"

if [ -n "$demo" ]; then
    [ $# -eq 0 ] || wrong_use "--demo takes no COMMAND"
    . "$here/lib/demo.sh"
    run_demo
    exit
fi

# Find out what can be done, before anything is made.
can_install() {
    if [ -n "$user" ] && [ "$(id -u)" = 0 ]; then
        why='--user is for an ordinary user, and you are root: leave it out'
        return 1
    elif [ -n "$user" ]; then
        places_of_user "$name" || {
            why='--user needs a home directory, but HOME is not set to one'
            return 1
        }
    elif [ "$(id -u)" = 0 ]; then
        places_of_machine "$name"
    else
        why='root is needed: use sudo, or --user to install for yourself only'
        return 1
    fi
    wheels=$sources/wheels locks=$sources/wheels
    [ -d "$wheels" ] || { wheels='' locks=$here; }
    is_plain "$root" && may_replace_command && is_trusted "$env_file" &&
        find_python "${user:-shared}" "${wheels:-pip}" && is_as_packed || return
    lock=$locks/$(lock_for "$python_version" requirements)
    [ -f "$lock" ] || {
        why="this archive has no packages for Python $python_version"
        return 1
    }
}

# The path is written unquoted into a shell script and a unit.
is_plain() { # PATH
    case $1 in
    *[[:cntrl:]:\"\'\\\$\`\&\|%]*)
        why="$1 contains characters that would need escaping: set XDG_DATA_HOME to another place"
        return 1
        ;;
    esac
}

# Another program, or the Debian package, may have the same name.
may_replace_command() {
    if [ -e "$command" ] && ! is_our_command; then
        why="$command already exists and is another program: use another --product"
        return 1
    elif [ -z "$user" ] && [ -e "/usr/share/$name/pyvenv.cfg" ]; then
        why="the Debian package $name is installed, and has the same settings and unit: use another --product"
        return 1
    fi
}

# systemd reads it as root, so nobody else may be able to change it.
is_trusted() { # FILE, or empty
    if [ -n "$1" ] && [ -z "$(find -L "$1" \( -user 0 -o -user "$(id -u)" \) ! -perm -020 ! -perm -002)" ]; then
        why="$1 can be changed by other users, so it cannot be used: chown it to yourself, and chmod go-w"
        return 1
    fi
}

# In a subshell: if anything of ours fails, COMMAND runs all the same.
set_up() {
    set -eu
    readable_to_the_service
    for _ in 1 2 3; do
        mkdir -p "$root"
        chmod 755 "$root"
        waited=0
        alone "$BEFORE_SECONDS" || waited=$?
        [ "$waited" -eq 3 ] || break
    done
    [ "$waited" -eq 0 ]
    ready_environment
    ready_settings
    ready_templates
    ready_user
    use "$environment"
    trap - EXIT INT TERM HUP
    ready_command
    show_news
}

# After COMMAND, which must not wait for the disk or the service.
finish() {
    set -eu
    readable_to_the_service
    alone "$AFTER_SECONDS" || exit 1
    code=0
    if wants_service; then start_service || code=1; else how_to_run_by_hand; fi
    settle
    exit "$code"
}

after_failure() {
    set -eu
    alone "$AFTER_SECONDS"
    settle
}

readable_to_the_service() { [ -n "$user" ] || umask 022; }

if ! can_install; then
    say "nothing is installed: $why"
    plainly "$@"
fi
(set_up)
code=$?
[ "$code" -ne 130 ] || kill -INT $$
if [ "$code" -ne 0 ] && { [ $# -eq 0 ] || [ ! -x "$command" ]; }; then
    say "nothing was installed"
    plainly "$@"
fi
if [ $# -eq 0 ]; then
    (finish)
    exit
fi

# What this script was told holds for COMMAND's run, whatever a docker.env here says. The key itself is not
# in an argument. A command that was not made just now may not know --set.
[ "$code" -eq 0 ] || product='' product_version='' usage_version='' endpoint='' key_file='' env_file=''
[ -z "$key_file" ] || key_file=$config/write-key

# ^C is for COMMAND. It inherits an ignored signal, but not a trap.
interrupted=''
trap 'interrupted=yes' INT
trap : QUIT
(with_their_environment "$command" wrap ${yes:+--no-input} \
    ${product:+"--set=ROLLCALL_PRODUCT=$product"} \
    ${product_version:+"--set=ROLLCALL_PRODUCT_VERSION=$product_version"} \
    ${usage_version:+"--set=ROLLCALL_USAGE_VERSION=$usage_version"} \
    ${endpoint:+"--set=ROLLCALL_ENDPOINT=$endpoint"} \
    ${key_file:+"--set=ROLLCALL_WRITE_KEY_FILE=$key_file"} \
    ${env_file:+"--set=ROLLCALL_ENV_FILE=$env_file"} \
    -- "$@")
code=$?
trap - INT QUIT
if [ "$code" -eq 0 ]; then
    (finish) </dev/null
    exit 0
fi
(after_failure) </dev/null
[ "$code" -ne 130 ] || [ -z "$interrupted" ] || kill -INT $$
exit "$code"
