#!/bin/sh
# Rollcall for an installer that is one file, behind `curl -fsSL https://get.acme.example | bash`.
# Paste it on top of your installer and edit its last line (docs/vendors.md). It fetches your archive and runs
# the setup.sh in it, which ends this script. In any doubt it does nothing, and your installer goes on.
# shellcheck disable=SC2016,SC2086 # the dollars are awk's; what is not quoted are several words

# Is a flag set, or might one be? Stricter than the agent: what is not plainly `NAME=VALUE` is doubt.
rollcall_is_off() ( # NAME
    rules='function off(value) { return tolower(value) !~ /^[ \t]*(0|false|no|off)?[ \t]*$/ }
        function flag(name) { return name ~ /^(.*_)?DISABLE_TELEMETRY$/ || name == "DO_NOT_TRACK" }
        { at = index($0, "="); name = substr($0, 1, at - 1); value = substr($0, at + 1) }'
    reads_on="$rules"'/^[ \t]*(#.*)?$/ { t = "[\200-\277]"; gsub("[\302-\337]" t "|[\340-\357]" t t "|[\360-\364]" t t t, ""); if (/[^\t -~]/) bad = 1; next }
        !/^(export )?[A-Za-z_][A-Za-z0-9_]*=("[^"]*"|\047[^\047]*\047|[!#-&(-~][^"\047]*)?$/ || /[^\t -~]|\\/ { bad = 1 }
        { sub(/^export /, "", name); gsub(/["\047]/, "", value) }
        flag(name) && (off(value) || seen[name]++) { bad = 1 }
        END { print bad ? "off" : "clear" }'
    found=$({ tr '\n\000' ' \n' <"/proc/$$/environ" && env && echo LOOKED=1; } |
        LC_ALL=C awk "$rules"'flag(name) && off(value) { set = 1 } END { print set, $0 }') 2>/dev/null
    [ "$found" = " LOOKED=1" ] || return 0
    case ${HOME=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)} in /*) ;; *) return 0 ;; esac # cloud-init sets none
    for file in "${ROLLCALL_ENV_FILE-}" docker.env "${CREDENTIALS_DIRECTORY:+$CREDENTIALS_DIRECTORY/docker.env}" \
        "/etc/$1/docker.env" "${XDG_CONFIG_HOME:-$HOME/.config}/$1/docker.env"; do
        [ -n "$file" ] || continue
        case $file in */ | */. | */./* | */../*) return 0 ;; -*) file=./$file ;; esac
        case $(LC_ALL=C ls -d "$file" 2>&1) in *': No such file or directory' | *': Not a directory') continue ;; esac
        [ -f "$file" ] && size=$(wc -c <"$file") && [ "$size" -le 65536 ] && [ "$(tr -d '\000' <"$file" | wc -c)" = "$size" ] || return 0
        [ "$(LC_ALL=C timeout 3 awk "$reads_on" <"$file")" = clear ] || return 0
    done 2>/dev/null
    return 1
)

# Print the folder of the unpacked archive. It takes 15 seconds at most.
rollcall_fetch() ( # NAME URL SHA256
    foreground=$(timeout --foreground 1 true && echo --foreground) # so that ^C reaches the download
    timeout 1 true && ! rollcall_is_off "$1" && folder=$(mktemp -d) || return
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 130' INT TERM HUP
    get='curl -fsSL --connect-timeout 5 -o archive' && command -v curl >&2 || get='wget -q -O archive'
    if cd "$folder" && timeout $foreground 15 $get "$2" && echo "$3  archive" | sha256sum -c >&2 &&
        tar -xzof archive && rm archive && rollcall/install/install.sh --help >&2 && [ -x setup.sh ]; then
        trap - EXIT
        echo "$folder"
    else
        echo "$1: this installation is not reported: $2 cannot be used" >&3
        return 1
    fi
) 3>&2 2>/dev/null

rollcall_bootstrap() { # NAME URL SHA256 [ARGUMENT]...
    rollcall_folder=$(rollcall_fetch "$1" "$2" "$3") || { [ $? -ne 130 ] || kill -INT $$ && return; }
    shift 3
    trap : INT QUIT # they are for the installer
    "$rollcall_folder/setup.sh" "$@"
    rollcall_code=$?
    rm -rf "$rollcall_folder"
    trap - INT QUIT
    [ "$rollcall_code" -ne 130 ] || kill -INT $$
    exit "$rollcall_code"
}
rollcall_bootstrap rollcall-acme-board https://get.acme.example/acme-1.4.2.tar.gz SHA256-OF-THE-ARCHIVE "$@" || :
