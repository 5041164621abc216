# shellcheck shell=sh
# Nobody ever sees half of a file, or half of an installation.
# Sourced, and run in a shell that stops at the first error (set -e).
# shellcheck disable=SC2034,SC2154 # given: $name $root $python

BEFORE_SECONDS=15 # COMMAND waits no longer; the package index needs most of the 60 s
AFTER_SECONDS=60

# Replace a file in one step, even across a power cut: readers see the old one or the new one.
put() { # FILE MODE, text on stdin
    mkdir -p "${1%/*}" &&
        (umask 077 && dd of="$1.new" conv=fsync status=none) &&
        chmod "$2" "$1.new" &&
        mv -f "$1.new" "$1"
}

# The same for a unit: one that reads so already is left alone, because systemd takes a new file for a change.
put_unit() { # FILE, text on stdin
    text=$(cat)
    [ "$text" = "$(cat "$1" 2>/dev/null)" ] || printf '%s\n' "$text" | put "$1" 644
}

# One install.sh of NAME at a time. The lock ends with the process that holds it. Its file is for the owner
# alone: a lock that others can open is a lock that others can hold.
# COMMAND runs without the lock, because it may call install.sh again.
# 3: the one before failed, and removed the lock when it ended.
alone() { # SECONDS
    (umask 077 && : >>"$root/lock") && exec 9<"$root/lock" || return 3
    "$python" -I -c 'import errno, fcntl, os, signal, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    os.write(2, os.fsencode(sys.argv[2] + ": waiting for another install.sh\n"))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(1))
    signal.alarm(int(sys.argv[1]))
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError as why:
    if why.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        raise
try:
    sys.exit(0 if os.path.samestat(os.fstat(9), os.stat(sys.argv[3])) else 3)
except FileNotFoundError:
    sys.exit(3)' "$1" "$name" "$root/lock" 9<&9 || { # ksh would not pass it on by itself
        [ $? -ne 3 ] || return 3
        say "another install.sh is still running: run this again when it has ended"
        exit 1
    }
}

# The alarm survives exec, and so ends COMMAND when the time is up.
within() { # SECONDS COMMAND...
    "$python" -I -c 'import os, signal, sys
signal.alarm(int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])' "$@"
}
