# Read by the one bash that the wrapper starts, through BASH_ENV, before the script's first line.
# trace.py fills in what stands between @. Notes where a failing script stood, and changes nothing
# that the script can see: $_ and $? are as before, no name of ours is left, and what the traps do
# is not part of xtrace's output. The script's own traps replace these.
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) && [[ ! -o xtrace && ! -o verbose ]]; then
  __rollcall() {
    trap '{ case $- in *e*) printf "%s\0" ERR "$?" "${PIPESTATUS[*]}" "$BASH_COMMAND" "$LINENO" "${BASH_LINENO[0]-}" "${FUNCNAME[0]-}" "${BASH_SOURCE[0]-}" "${BASH_SOURCE[1]-}" >>@REPORT@ ;; esac; } 2>/dev/null' ERR
    if ((@EXIT@)); then
      # With an EXIT trap bash handles deadly signals itself, and a ^C may then be lost between
      # two commands. Handlers that were asked for before can be put back: so they are as ever.
      trap : @SIGNALS@
      trap '{ printf "%s\0" EXIT "$?" "${PIPESTATUS[*]}" "$BASH_COMMAND" "$LINENO" "${BASH_LINENO[0]-}" "${FUNCNAME[0]-}" "${BASH_SOURCE[0]-}" "${BASH_SOURCE[1]-}" >>@REPORT@; } 2>/dev/null' EXIT
      trap - @SIGNALS@
    fi
    unset -f __rollcall
    @RESTORE@
  }
  __rollcall "$_"
else
  @RESTORE@
fi
@OWN@
