#!/bin/sh
# @NAME@: starts Rollcall's agent. For `wrap`, the command runs even where the agent cannot start.
#
# install.sh fills in @NAME@ and @PYTHON@. Where there is bash, it puts `#!/bin/bash -p` in the first line:
# bash passes on an ignored SIGCHLD and the signal mask, and dash does not.
python='@PYTHON@'

# CMD must get the environment as it was, but shells drop odd names and add PWD. So this leaves a stopped
# copy of this shell, which still has it: the wrapper reads the copy's environment and ends it. The copy
# holds no pipe of the caller, who would otherwise wait for it if we were killed.
# Python ignores SIGPIPE before our code runs, so the ignored signals are noted here too.
note_what_came() {
    ignored=0
    while read -r key value; do
        case $key in SigIgn:) ignored=$value && break ;; esac
    done </proc/$$/status 2>/dev/null
    (read -r pid _ </proc/self/stat && kill -STOP "$pid") </dev/null >/dev/null 2>&1 &
    noted=$ignored:$!
}

run_plainly() {
    trap '' PIPE # nobody may read this, and the command runs all the same
    echo "@NAME@: this installation is not reported: the agent at $python cannot start" >&2
    trap - PIPE
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --) shift && break ;;
        --explain) exit 1 ;; # it runs nothing
        -*) shift ;;
        *) break ;;
        esac
    done
    [ $# -gt 0 ] || exit 2
    exec "$@"
}

# A system upgrade can remove the interpreter or its modules. Python starts with -S, and looks for
# modules only once a ^C ends it silently instead of with a traceback.
starts='
import _signal
if _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
import sys
noted = sys.argv.pop(1)
try:
    import site
    site.main()
    from agent.wrapper.boot import main
    sys.exit(main(sys.argv[2:], noted))
except Exception:
    import os
    try:  # while SIGPIPE is ignored still
        os.write(2, b"@NAME@: this installation is not reported: the agent is not installed for this Python\n")
    except OSError:
        pass
    ignored, _, copy = noted.partition(":")
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        if not int(ignored or "0", 16) >> (number - 1) & 1:
            _signal.signal(number, _signal.SIG_DFL)
    try:
        if not os.waitpid(int(copy), os.WNOHANG)[0]:
            os.kill(int(copy), _signal.SIGKILL)
            os.waitpid(int(copy), 0)
    except (ValueError, OSError):
        pass
    words = sys.argv[2:]
    explain = False
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        explain = explain or word == "--explain"
    if explain:  # it runs nothing
        sys.exit(1)
    try:
        os.execvp(words[0], words)
    except IndexError:
        sys.exit(2)
    except OSError as why:
        try:
            os.write(2, os.fsencode("@NAME@: %s: %s\n" % (words[0], why.strerror)))
        finally:
            sys.exit(127 if isinstance(why, FileNotFoundError) else 126)
'

if [ "${1-}" != wrap ]; then
    [ -x "$python" ] || {
        echo "@NAME@: the agent is gone: there is no $python; install it again, or delete this command ($0)" >&2
        exit 1
    }
    exec "$python" -I -m agent "$@"
fi
[ -x "$python" ] && [ -s "$python" ] || run_plainly "$@"
noted=:
[ -r "/proc/$$/status" ] && note_what_came
# shellcheck disable=SC3044 # only bash can go on after an exec that failed
[ -z "${BASH_VERSION-}" ] || shopt -s execfail
# shellcheck disable=SC2093
exec "$python" -IS -c "$starts" "$noted" "$@"
[ "$noted" = : ] || { kill -KILL "${noted#*:}" && wait; }
run_plainly "$@"
