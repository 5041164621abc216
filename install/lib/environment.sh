# shellcheck shell=sh
# The private environment: made beside the old one, tested, then put in its place in one step.
# Sourced, and run in a shell that stops at the first error (set -e).
#
#   $root/env-XXXXXX    an environment; it never changes once it is made
#   $root/current       a symlink to the one in use; the service names its own in its unit
#   env-XXXXXX/making   what it was made from; renamed to `made` once it is all on disk
#
# shellcheck disable=SC2154 # given: $name $root $command $python $sources, $wheels (or empty) and $lock

INDEX_SECONDS=40 # an install may wait 60 in all; the rest is for a slow machine

# What an environment is made from. If that is unchanged, no new one is made.
ingredients() {
    {
        "$python" -I -c 'import sys; print(sys.executable, sys.version)'
        cat "$lock"
        [ -n "$wheels" ] || find "$sources/agent" -name __pycache__ -prune -o -type f -exec cksum {} + | sort -k3
    } | cksum
}

# Sets $environment, a new one or the one in use.
ready_environment() {
    ingredients=$(ingredients)
    environment=$(in_use)
    if [ -n "$environment" ] && [ "$(cat "$environment/made" 2>/dev/null)" = "$ingredients" ] &&
        starts "$environment"; then
        say "the private environment is up to date"
        return
    fi
    say "making a private environment in $root ($("$python" -I -V))"
    sweep
    trap leave_nothing EXIT # until it is in use; set_up takes the traps back
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    environment=$(mktemp -d "$root/env-XXXXXX")
    chmod 755 "$environment"
    fill_environment
    printf '%s\n' "$ingredients" >"$environment/making"
    starts "$environment" || {
        say "the new environment does not start, so the old one stays in use"
        exit 1
    }
}

fill_environment() {
    printf '%s\n' "$name" >"$environment/rollcall.name"
    printf '%s\n' "$command" >"$environment/rollcall.command"
    "$python" -I -m venv --without-pip "$environment"
    if [ -n "$wheels" ]; then
        say "installing from the wheels beside this script"
        pip=$(locked_pip)
        export PIP_CONFIG_FILE=/dev/null # --isolated still reads the machine's file
        set -- "$environment/bin/python" -I -c "$run_pip" "$pip" --isolated install --no-index --find-links "$wheels"
        seconds=600
    else
        say "fetching from the package index (at most $INDEX_SECONDS s)"
        pip=$(pythons_pip)
        set -- "$environment/bin/python" -I -c "$run_pip" "$pip" install --retries 1 --timeout 15
        seconds=$INDEX_SECONDS
    fi
    mkdir "$environment/tmp" # for pip, which leaves its temporary files when its time is up
    silently "$environment/tmp" within "$seconds" "$@" --disable-pip-version-check --no-cache-dir --no-input \
        --only-binary :all: --require-hashes --requirement "$lock" || {
        say "the packages could not be installed within $seconds s, or their hashes are wrong$(advice)"
        exit 1
    }
    rm -rf "$environment/tmp"
    [ -n "$wheels" ] || copy_agent
}

# pip from its wheel. Debian keeps distutils, which pip prefers on Python 3.9, in a package of its own.
run_pip='
import runpy, sys, sysconfig
sysconfig._PIP_USE_SYSCONFIG = True
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("pip", run_name="__main__", alter_sys=True)'

# Run pip. What it says of the machine's own settings helps nobody; its errors are shown if it fails.
silently() { # FOLDER COMMAND...
    folder=$1
    shift
    TMPDIR=$folder "$@" </dev/null >"$folder/pip.log" 2>&1 || {
        { grep '^ERROR: ' "$folder/pip.log" || tail -n 1 "$folder/pip.log"; } | tail -n 3 |
            sed -e 's/^ERROR: //' -e 's/^/pip: /' >&2
        return 1
    }
}

advice() {
    [ -n "$wheels" ] ||
        printf '; without a network, install from an archive with wheels (install/bundle makes it)'
}

pythons_pip() { "$python" -I -c "${find_pip}print(bundled_pip())"; }

# The archive brings its own pip, so Debian's python3-venv is not needed.
locked_pip() {
    "$python" -I -c 'import glob, hashlib, sys
wheels = sys.argv[1]
locked = open(wheels + "/" + sys.argv[2]).read()
for wheel in glob.glob(glob.escape(wheels) + "/pip-*.whl"):
    if hashlib.sha256(open(wheel, "rb").read()).hexdigest() in locked:
        sys.exit(print(wheel))
sys.exit(sys.argv[3] + ": " + wheels + " has no pip with the right hash")' "$wheels" "$(lock_for "$python_version" pip)" "$name"
}

# A checkout has no wheel of the agent. It needs none: the agent is plain Python.
copy_agent() {
    site=$("$environment/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    cp -R "$sources/agent" "$site/agent"
    find "$site/agent" -name __pycache__ -prune -exec rm -rf {} +
    [ -n "$user" ] || chmod -R go+rX "$site/agent"
    "$environment/bin/python" -I -m compileall -q "$site/agent"
}

starts() { # ENVIRONMENT
    [ "$(cat "$1/rollcall.name" 2>/dev/null)" = "$name" ] &&
        "$1/bin/python" -I -c 'import agent.cli, dotenv, psutil, requests, schedule' >/dev/null 2>&1
}

in_use() {
    [ ! -L "$root/current" ] || printf '%s\n' "$root/$(readlink "$root/current")"
}

# rename(2) replaces the symlink; `mv` would move the new one into the directory.
use() { # ENVIRONMENT
    "$python" -I -c 'import os, sys
os.chdir(sys.argv[1])
if os.path.lexists("current.new"): os.unlink("current.new")
os.symlink(sys.argv[2], "current.new")
os.replace("current.new", "current")' "$root" "${1##*/}"
}

# Mark the environment in use as complete, and remove the others.
settle() {
    environment=$(in_use)
    if [ -f "$environment/making" ]; then
        sync -f "$environment" 2>/dev/null || sync # its own disk: another may be slow, or a server that is gone
        mv -f "$environment/making" "$environment/made"
    fi
    sweep
}

sweep() {
    for other in "$root"/env-*; do
        case $other in
        "$(in_use)" | "$(of_service)") ;;
        *) rm -rf "$other" ;;
        esac
    done
}

# After a failure: a folder with nothing but the lock is as good as none. Whoever waits for the lock notices.
leave_nothing() {
    sweep
    set -- "$root"/*
    [ "$*" != "$root/lock" ] || { rm -f "$root/lock" && rmdir "$root" 2>/dev/null; } || :
}

# The environment that the service's unit names; it may be an older one.
of_service() {
    for one in "$root"/env-*; do
        ! grep -qsF "/${one##*/}/bin/python" "$units/$name.service" || printf '%s\n' "$one"
    done
}
