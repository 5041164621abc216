# Read by the one bash that the wrapper starts, through BASH_ENV, before the script's first line. trace.py fills in
# what stands between @. A DEBUG trap writes each command before it runs, an ERR trap how one failed, both to a file
# in memory by a descriptor that closes when a program is started (see xtrace.bash). After some thousand commands
# only failures are written.
__rollcall() {
    unset -f __rollcall
    @RESTORE@
    [[ ${BASH_VERSINFO[0]}${BASH_VERSINFO[1]} -ge 44 && ! -o xtrace && ! -o verbose ]] || return 0
    # shellcheck disable=SC2094,SC2261 # 3 is opened twice, so that bash keeps a copy of the first
    { for __rollcall_fd in {10..99}; do
        [[ /proc/self/fd/$__rollcall_fd -ef @REPORT@ ]] && eval "exec @FD@>&$__rollcall_fd" && break
    done; } 3>>@REPORT@ 3>/dev/null
    unset -v __rollcall_fd
    [[ /proc/self/fd/@FD@ -ef @REPORT@ ]] || return 0
    __rollcall=(0)
    trap '{ printf "%s\2" $'\''\6'\'' "$?" $'\''\5'\'' "${PIPESTATUS[@]}" $'\''\5'\'' "$-" "$BASHPID" "$LINENO" $'\''\5'\'' "${FUNCNAME[@]-}" $'\''\5'\'' "${BASH_LINENO[@]-}" $'\''\5'\'' "${BASH_SOURCE[@]-}" $'\''\5'\'' "$BASH_COMMAND" "" "$_" >&@FD@; } 2>/dev/null' ERR
    trap '{ printf "%s\2" $'\''\6'\'' "$?" $'\''\5'\'' "${PIPESTATUS[@]}" $'\''\5'\'' "$-" "$BASHPID" "$LINENO" $'\''\5'\'' "${FUNCNAME[@]-}" $'\''\5'\'' "${BASH_LINENO[@]-}" $'\''\5'\'' "${BASH_SOURCE[@]-}" $'\''\5'\'' "$BASH_COMMAND" "$((++__rollcall[0]))" "$_" >&@FD@; case ${__rollcall[0]} in @COUNT@) __rollcall[1]=$_; trap - DEBUG; : "${__rollcall[1]}" ;; esac; } 2>/dev/null' DEBUG
    set -TE
}
{ __rollcall "$_" || :; } 2>/dev/null
@OWN@
