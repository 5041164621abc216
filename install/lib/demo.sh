# shellcheck shell=sh
# --demo: all of Rollcall at work in this folder. Sourced.
# shellcheck disable=SC2154 # given: $sources, $here, $once

DEMO_SECONDS=100

run_demo() {
    demo=$sources/.venv-demo
    if [ ! -f "$here/demo/requirements.lock" ]; then
        say "the demo needs a checkout of Rollcall's source; this is an archive for installing"
        exit 1
    fi
    find_python own pip || {
        say "the demo cannot run: $why"
        exit 1
    }
    ready_demo || exit 1
    exec "$demo/bin/python" -I "$here/demo/demo.py" ${once:+--once}
}

# Everything that is made, pip's scratch files too, is inside the checkout.
ready_demo() {
    wanted=$({ cat "$here/demo/requirements.lock" && "$python" -I -V && printf '%s\n' "$sources"; } | cksum)
    [ "$(cat "$demo/made" 2>/dev/null)" != "$wanted" ] || return 0
    say "making a private environment in .venv-demo; its packages come from the package index, in half a minute or so"
    rm -rf "$demo" && mkdir -p "$demo/tmp" && "$python" -I -m venv --without-pip "$demo" &&
        pip=$(pythons_pip) || return
    TMPDIR=$demo/tmp within "$DEMO_SECONDS" "$demo/bin/python" -I "$pip/pip" install --quiet --no-cache-dir \
        --no-input --disable-pip-version-check --retries 1 --timeout 15 --only-binary :all: \
        --require-hashes --requirement "$here/demo/requirements.lock" </dev/null || {
        say "the demo's Python packages could not be had from the package index; is there a network, or a PIP_INDEX_URL to set?"
        return 1
    }
    site=$("$demo/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))') &&
        printf '%s\n' "$sources" >"$site/checkout.pth" &&
        printf '%s\n' "$wanted" >"$demo/made"
}
