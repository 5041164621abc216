# Read by the one bash that the wrapper starts, through BASH_ENV, before the script's first line. trace.py fills in
# what stands between @. Each command is written to a file in memory by bash's own xtrace, with the exit code before
# it and the calls that led to it. The descriptor closes when a program is started, so no child has it: bash sets that
# on the copy that it keeps while a descriptor is redirected, and `exec N>&COPY` hands it on. After some
# thousand commands, or before a line of which nothing is known, PS4 sends URG, once, and its trap takes away all of this and leaves the trap of
# error.bash. In a subshell, where that trap is not, nothing is counted.
__rollcall() {
    unset -f __rollcall
    @RESTORE@
    [[ ${BASH_VERSINFO[0]}${BASH_VERSINFO[1]} -ge 44 && ! -o xtrace && ! -o verbose ]] || return 0
    if [[ ${BASH_VERSINFO[0]}${BASH_VERSINFO[1]} < @LEAST@ ]]; then
        @ONLYERROR@
        return 0
    fi
    # shellcheck disable=SC2094,SC2261 # 3 is opened twice, so that bash keeps a copy of the first
    { for __rollcall_fd in {10..99}; do
        [[ /proc/self/fd/$__rollcall_fd -ef @REPORT@ ]] && eval "exec @FD@>&$__rollcall_fd" && break
    done; } 3>>@REPORT@ 3>/dev/null
    unset -v __rollcall_fd
    [[ /proc/self/fd/@FD@ -ef @REPORT@ ]] || return 0
    __rollcall=([0]=3 [2]=0 @MARKS@)
    BASH_XTRACEFD=@FD@
    PS4=$'\6\2$?\2${PIPESTATUS[@]-}\2$-\2$BASHPID\2$LINENO\2${FUNCNAME[@]-}\2${BASH_LINENO[@]-}\2${BASH_SOURCE[@]-}\2${__rollcall[BASHPID-$$?1:__rollcall[2]+__rollcall[0]++]+`kill -URG $$`${__rollcall[__rollcall[2]=@DONE@]-}}@ATLINES@'
    trap ': rollcall "$?" "$-" "${PIPESTATUS[@]}" "$_"' ERR
    trap '__rollcall() {
        { wait "$$" || set +x@ERRTRACE@; } 2>/dev/null
        @ERROR@
        trap - URG
        builtin export -n PS4="+ " # `set -a` would export it
        unset -v __rollcall BASH_XTRACEFD
        unset -f __rollcall
    }
    case $- in
    *x*) __rollcall "$_" ;;
    *) trap "__rollcall[1]=\$_; trap - DEBUG; __rollcall \"\${__rollcall[1]}\"" DEBUG ;; # bash 4: PS4 is being expanded
    esac' URG
    set -x@ERRTRACE@
}
{ __rollcall "$_" || :; } 2>/dev/null
@OWN@
