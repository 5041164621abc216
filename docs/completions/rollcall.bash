# shellcheck shell=bash
# Drawn by docs/draw.py from the command line's own tables.
_rollcall() {
    local word=${COMP_WORDS[COMP_CWORD]} path='' words='' at
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [ "$path ${COMP_WORDS[at]}" = ' wrap --' ]; then
            mapfile -t COMPREPLY < <(compgen -cf -- "$word")
            return
        fi
        case "$path ${COMP_WORDS[at]}" in
        ' wrap' | ' daemon' | ' preview' | ' log' | ' status' | ' prove' | ' doctor' | ' disable' | ' enable' | ' consent' | ' beat' | ' flush' | ' track' | ' export' | ' support' | ' updates' | ' forget') path="$path ${COMP_WORDS[at]}" ;;
        esac
    done
    case $path in
    '') words='wrap daemon preview log status prove doctor disable enable consent beat flush track export support updates forget --version --help' ;;
    ' wrap') words='--no-trace --no-input --explain --help' ;;
    ' daemon') words='--help' ;;
    ' preview') words='--new --help' ;;
    ' log') words='-n --json --help' ;;
    ' status') words='--json --help' ;;
    ' prove') words='--json --help' ;;
    ' doctor') words='--json --help' ;;
    ' disable') words='--help' ;;
    ' enable') words='--help' ;;
    ' consent') words='usage on off --help' ;;
    ' beat') words='--slot --report --help' ;;
    ' flush') words='--budget --report --help' ;;
    ' track') words='-p --help' ;;
    ' export') words='--settle --help' ;;
    ' support') words='--email --bundle --out --yes --help' ;;
    ' updates') words='import --check --json --help' ;;
    ' forget') words='--everywhere --help' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _rollcall rollcall
