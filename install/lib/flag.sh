# shellcheck shell=sh
# May anything be made, fetched or written? Promise: when in doubt, silent.
#
# Sourced. The rules are those of agent/config/flags.py and agent/config/envfile.py, but a docker.env is
# not parsed here: if the meaning of a line is not certain, the answer is no.
# Nothing here writes a file; the programs that it calls only read.

MAX_ENV_FILE=65536
READ_SECONDS=3

# Sets $why to what silences NAME; empty if nothing does. ENV_FILE may be empty.
look_for_refusal() { # NAME ENV_FILE
    why=
    look_in_environment
    look_in_file "${ROLLCALL_ENV_FILE:-}"
    look_in_file "$2"
    look_in_file docker.env
    look_in_file "${CREDENTIALS_DIRECTORY:+$CREDENTIALS_DIRECTORY/docker.env}"
    look_in_file "/etc/$1/docker.env"
    look_in_file "${XDG_CONFIG_HOME:-$(home_directory)/.config}/$1/docker.env"
}

# As the agent finds it; "/" for a user without one, as in some containers.
home_directory() {
    home=${HOME:-}
    if [ -z "${HOME+set}" ]; then
        login=$(id -un 2>/dev/null)
        case $login in
        '' | *[!A-Za-z0-9._-]*) ;;
        *) eval "home=~$login" ;;
        esac
    fi
    case $home in
    /*) printf %s "$home" ;;
    *) printf / ;;
    esac
}

look_in_environment() {
    case $(environment | LC_ALL=C awk "$flag_in_environment" 2>/dev/null) in
    clear) ;;
    set:*) why="a flag is set in the environment" ;;
    *) why="the environment cannot be read (awk and env are needed)" ;;
    esac
}

# One variable a line. The kernel's copy comes first: a shell drops names that are odd to it.
environment() {
    { LC_ALL=C tr '\n\000' ' \n' <"/proc/$$/environ"; } 2>/dev/null
    { env && echo LOOKED; } 2>/dev/null
}

# shellcheck disable=SC2016 # these are awk's dollars
flag_in_environment='
$0 == "LOOKED" { looked = 1 }
{
    at = index($0, "=")
    name = substr($0, 1, at - 1)
    value = tolower(substr($0, at + 1))
    if (at && (name ~ /^(.*_)?DISABLE_TELEMETRY$/ || name == "DO_NOT_TRACK"))
        if (value !~ /^[ \t]*(0|false|no|off)?[ \t]*$/) found = name
}
END { print found != "" ? "set:" found : looked ? "clear" : "nothing seen" }'

look_in_file() { # PATH
    if [ -n "$why" ] || [ -z "$1" ]; then return; fi
    place=$1
    while case $place in ?*/) true ;; *) false ;; esac do place=${place%/}; done
    if ! path_is_plain "$place"; then
        why="the path $place is not certain: write it without . or .. in the middle"
        return
    fi
    is_absent "$place" && return
    verdict=$(verdict_on "$place") || : # a caller's script may end at the first failure
    case $verdict in
    clear) ;;
    large) why="$place is larger than 64 KiB" ;;
    [0-9]*) why="a flag is set, or may be set, in $place:$verdict" ;;
    *) why="$place cannot be read" ;;
    esac
}

# Whether the kernel and a reader of the text alone take this path to be the same file.
path_is_plain() { # PATH
    rest=$1
    while :; do
        case $rest in
        ./*) rest=${rest#./} ;;
        ../*) rest=${rest#../} ;;
        *) break ;;
        esac
    done
    case /$rest/ in */./* | */../*) return 1 ;; esac
}

# Only "no such file" means that it is absent. A directory that cannot be entered is doubt.
is_absent() { # PATH
    if [ -e "$1" ] || [ -L "$1" ]; then return 1; fi
    said=$(LC_ALL=C ls -d -- "$1" 2>&1) && return 1
    case $said in
    *': No such file or directory' | *': Not a directory') return 0 ;;
    esac
    return 1
}

# Prints "clear", the line in doubt, "large", or anything else if the file cannot be read.
verdict_on() { # PATH
    [ -f "$1" ] || return
    case $1 in /*) ;; *) set -- "./$1" ;; esac # neither an option nor an assignment of awk's
    size=$({ soon wc -c "$1"; } 2>/dev/null) || return
    [ "${size%% *}" -le "$MAX_ENV_FILE" ] || { echo large && return; }
    odd=$({ soon cat "$1" | LC_ALL=C tr -d '\001-\177' | wc -c; } 2>/dev/null)
    if [ "${odd:-1}" -ne 0 ]; then
        text=$({ soon od -An -v -tu1 "$1" | LC_ALL=C awk "$is_utf8"; } 2>/dev/null)
        [ "$text" = yes ] || return
    fi
    { soon awk "$flag_in_file" "$1" || echo failed; } 2>/dev/null
}

# Run a program that opens the file. Who may write to the folder may put a FIFO in the file's place at any
# moment, and to open a FIFO may take for ever.
soon() { # COMMAND...
    if timeout 1 true 2>/dev/null; then
        LC_ALL=C timeout "$READ_SECONDS" "$@"
    else
        LC_ALL=C "$@"
    fi
}

# Reads bytes as numbers. NUL is valid UTF-8, but not valid here.
# shellcheck disable=SC2016
is_utf8='
function next_byte(b) {
    if (more) {
        if (b < low || b > high) bad = 1
        low = 128; high = 191; more--
        return
    }
    low = 128; high = 191
    if (b > 0 && b < 128) return
    if (b >= 194 && b <= 223) more = 1
    else if (b >= 224 && b <= 239) more = 2
    else if (b >= 240 && b <= 244) more = 3
    else bad = 1
    if (b == 224) low = 160
    if (b == 237) high = 159
    if (b == 240) low = 144
    if (b == 244) high = 143
}
{ for (i = 1; i <= NF; i++) next_byte($i + 0) }
END { if (bad || more) print "no"; else print "yes" }'

# Values of several lines, odd names, and anything else that needs a parser are in doubt.
# shellcheck disable=SC2016
flag_in_file='
function doubt() { at = NR; exit }
{
    if (NR == 1) sub(/^\357\273\277/, "")
    sub(/\r$/, "")
    if (/\r/) doubt()
    speaks = /DISABLE_TELEMETRY|DO_NOT_TRACK/
    if (speaks && /[^\t -~]/) doubt()
    if (/^[ \t]*(#.*)?$/) next
    sub(/^[ \t]+/, "")
    sub(/^export[ \t]+/, "")
    if (!match($0, /^[A-Za-z0-9_.-]+/)) doubt()
    name = substr($0, 1, RLENGTH)
    value = substr($0, RLENGTH + 1)
    sub(/^[ \t]+/, "", value)
    if (value !~ /^=/) {
        if (speaks || value !~ /^(#.*)?$/) doubt()
        next
    }
    sub(/^=[ \t]*/, "", value)
    if (name ~ /DISABLE_TELEMETRY|DO_NOT_TRACK/ && name !~ /^[A-Za-z_][A-Za-z0-9_]*$/) doubt()
    if (name ~ /^(.*_)?DISABLE_TELEMETRY$/ || name == "DO_NOT_TRACK") {
        if (seen[name]++) doubt()
        value = tolower(value)
        if (value ~ /^(0|false|no|off)?[ \t]*$/) next
        if (value ~ /^(0|false|no|off)[ \t]+#/) next
        if (value ~ /^"[ \t]*(0|false|no|off)?[ \t]*"[ \t]*(#.*)?$/) next
        if (value ~ /^\047[ \t]*(0|false|no|off)?[ \t]*\047[ \t]*(#.*)?$/) next
        doubt()
    }
    if (value == "") next
    if (value ~ /^"/) {
        if (value !~ /^"([^"]*[^"\\])?"[ \t]*(#.*)?$/) doubt()
    } else if (value ~ /^\047/) {
        if (value !~ /^\047([^\047]*[^\047\\])?\047[ \t]*(#.*)?$/) doubt()
    } else if (value !~ /^[!-~]/) doubt()
}
END { if (at) print at; else print "clear" }'
