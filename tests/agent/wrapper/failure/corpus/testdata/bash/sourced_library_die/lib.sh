# What both scripts use.
say() {
    echo "==> $*"
}
die() {
    say "$@" >&2
    exit 1
}
