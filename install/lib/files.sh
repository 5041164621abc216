# shellcheck shell=sh
# What keeps anybody from seeing half of a file, or half of an installation.
# Sourced, and run in a shell that stops at the first error (set -e).
# shellcheck disable=SC2034,SC2154 # given: $name $root $python

BEFORE_SECONDS=15 # COMMAND is kept waiting no longer, and the index needs some of its 60 s
AFTER_SECONDS=60

# Replaced at once, after a power cut too: whoever looks gets the old file or the new one.
put() { # FILE MODE, text on stdin
    mkdir -p "${1%/*}" &&
        (umask 077 && dd of="$1.new" conv=fsync status=none) &&
        chmod "$2" "$1.new" &&
        mv -f "$1.new" "$1"
}

# One install.sh of NAME at a time. The lock lies on $root itself and ends with its holder, however
# that one ends. COMMAND runs outside of it: it may well call install.sh again.
alone() { # SECONDS
    exec 9<"$root"
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
        raise' "$1" "$name" || {
        say "another install.sh is still at work: run this again when it has ended"
        exit 1
    }
}

# The alarm outlives exec, so what comes after it is killed when it rings.
within() { # SECONDS COMMAND...
    "$python" -I -c 'import os, signal, sys
signal.alarm(int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])' "$@"
}
