# shellcheck shell=bash
# Drawn by docs/draw.py from the command line's own tables.
_rollcall_collector() {
    local word=${COMP_WORDS[COMP_CWORD]} path='' words='' at
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [ "$path ${COMP_WORDS[at]}" = ' wrap --' ]; then
            mapfile -t COMPREPLY < <(compgen -cf -- "$word")
            return
        fi
        case "$path ${COMP_WORDS[at]}" in
        ' serve' | ' keys' | ' keys add' | ' keys list' | ' keys revoke' | ' keys limit' | ' users' | ' users add' | ' users list' | ' users remove' | ' tokens' | ' tokens add' | ' tokens list' | ' tokens revoke' | ' audit' | ' setup-link' | ' import' | ' export' | ' demo-data' | ' instances' | ' instances delete' | ' purge' | ' recount' | ' bundles' | ' bundles list' | ' bundles fetch' | ' bundles open' | ' members' | ' members join' | ' members list' | ' members approve' | ' members remove' | ' members trust' | ' members key' | ' members backup' | ' members reset' | ' releases' | ' releases publish' | ' releases trust' | ' releases distrust' | ' releases list' | ' alerts' | ' alerts test' | ' cluster' | ' cluster check') path="$path ${COMP_WORDS[at]}" ;;
        esac
    done
    case $path in
    '') words='serve keys users tokens audit setup-link import export demo-data instances purge recount bundles members releases alerts cluster --help' ;;
    ' serve') words='--db --events --listen --workers --help' ;;
    ' keys') words='add list revoke limit --help' ;;
    ' keys add') words='--db --events --help' ;;
    ' keys list') words='--db --events --help' ;;
    ' keys revoke') words='--db --events --help' ;;
    ' keys limit') words='--db --events --rate --daily --help' ;;
    ' users') words='add list remove --help' ;;
    ' users add') words='--db --events --role --source --no-password --help' ;;
    ' users list') words='--db --events --help' ;;
    ' users remove') words='--db --events --help' ;;
    ' tokens') words='add list revoke --help' ;;
    ' tokens add') words='--db --events --role --source --help' ;;
    ' tokens list') words='--db --events --help' ;;
    ' tokens revoke') words='--db --events --help' ;;
    ' audit') words='--db --events -n --help' ;;
    ' setup-link') words='--db --events --listen --help' ;;
    ' import') words='--db --events --source --verify --help' ;;
    ' export') words='--db --events --help' ;;
    ' demo-data') words='--db --events --source --instances --seed --help' ;;
    ' instances') words='delete --help' ;;
    ' instances delete') words='--db --events --source --help' ;;
    ' purge') words='--db --events --older-than --key --since --until --help' ;;
    ' recount') words='--db --events --help' ;;
    ' bundles') words='list fetch open --help' ;;
    ' bundles list') words='--collector --token-file --source --member --help' ;;
    ' bundles fetch') words='--collector --token-file --source --member -o --help' ;;
    ' bundles open') words='--collector --token-file --source --member --key -o --help' ;;
    ' members') words='join list approve remove trust key backup reset --help' ;;
    ' members join') words='--member --collector --token-file --help' ;;
    ' members list') words='--member --help' ;;
    ' members approve') words='--member --fingerprint --help' ;;
    ' members remove') words='--member --keep-key --help' ;;
    ' members trust') words='--member --help' ;;
    ' members key') words='--member --help' ;;
    ' members backup') words='--member --help' ;;
    ' members reset') words='--db --events --help' ;;
    ' releases') words='publish trust distrust list --help' ;;
    ' releases publish') words='--db --events --source --key --help' ;;
    ' releases trust') words='--db --events --source --help' ;;
    ' releases distrust') words='--db --events --source --help' ;;
    ' releases list') words='--db --events --help' ;;
    ' alerts') words='test --help' ;;
    ' alerts test') words='--help' ;;
    ' cluster') words='check --help' ;;
    ' cluster check') words='--events --help' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _rollcall_collector rollcall-collector
