# Read by the one bash that the wrapper starts, through BASH_ENV, before the script's first line.
# trace.py fills in what stands between @. Notes where a failing script stood, and changes nothing
# that the script can see: $_ and $? are as before, and what the trap does is not part of xtrace's
# output. The script's own trap replaces this one. No EXIT trap: with one, bash handles deadly
# signals itself, and now and then loses a ^C between two commands.
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) && [[ ! -o xtrace && ! -o verbose ]]; then
    __rollcall() {
        trap '{ case $BASH_SUBSHELL:$- in 0:*e*) printf "%s\0" ERR "$?" "${PIPESTATUS[*]}" "$BASH_COMMAND" "$LINENO" "${BASH_LINENO[0]-}" "${FUNCNAME[0]-}" "${BASH_SOURCE[0]-}" "${BASH_SOURCE[1]-}" >>@REPORT@ ;; esac; } 2>/dev/null' ERR
        # shellcheck disable=SC2050 # trace.py fills it in
        if [[ @KNOWN@ == 1 ]]; then # trace.py read the script: nothing in it could notice these two
            set -o errtrace
            exit() {
                local status=$?
                { ((BASH_SUBSHELL)) || printf "%s\0" EXIT "${1-$status}" "" exit "${BASH_LINENO[0]-}" "${BASH_LINENO[1]-}" "${FUNCNAME[1]-}" "${BASH_SOURCE[1]-}" "${BASH_SOURCE[2]-}" >>@REPORT@ || :; } 2>/dev/null
                builtin exit "${@:-$status}"
            }
        fi
        unset -f __rollcall
        @RESTORE@
    }
    __rollcall "$_"
else
    @RESTORE@
fi
@OWN@
