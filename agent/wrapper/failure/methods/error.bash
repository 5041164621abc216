# Read by the one bash that the wrapper starts, through BASH_ENV, before the script's first line. trace.py fills in
# what stands between @. An ERR trap, which no function inherits, writes the command that failed and how it failed.
__rollcall() {
    unset -f __rollcall
    @RESTORE@
    [[ ${BASH_VERSINFO[0]}${BASH_VERSINFO[1]} -ge 44 && ! -o xtrace && ! -o verbose ]] || return 0
    trap '{ case $BASH_SUBSHELL:$- in 0:*e*) printf "%s\2" $'\''\6'\'' "$?" $'\''\5'\'' "${PIPESTATUS[@]}" $'\''\5'\'' "$-" "$BASHPID" "$LINENO" $'\''\5'\'' "${FUNCNAME[@]-}" $'\''\5'\'' "${BASH_LINENO[@]-}" $'\''\5'\'' "${BASH_SOURCE[@]-}" $'\''\5'\'' "$BASH_COMMAND" "" "$_" >>@REPORT@ ;; esac; } 2>/dev/null' ERR
}
__rollcall "$_" || :
@OWN@
