# shellcheck shell=sh
# The machines that an archive of wheels serves. Sourced.
# shellcheck disable=SC2034

PYTHONS='3.9 3.10 3.11 3.12 3.13'
LOCKS='3.9 3.10' # the oldest Python of each set of locked versions, see lock_for in lib/python.sh
PLATFORMS='x86_64-glibc aarch64-glibc x86_64-musl aarch64-musl'

# pip's words for one of them. The oldest systems are named: what fits them fits all newer ones.
pip_target() { # PLATFORM PYTHON
    printf '%s\n' --implementation cp --python-version "$2"
    case $1 in
    *-glibc) printf -- '--platform %s\n' "manylinux2014_${1%-*}" "manylinux_2_17_${1%-*}" \
        "manylinux_2_28_${1%-*}" "manylinux2010_${1%-*}" "manylinux1_${1%-*}" ;;
    *-musl) printf -- '--platform %s\n' "musllinux_1_2_${1%-*}" "musllinux_1_1_${1%-*}" ;;
    esac
}
