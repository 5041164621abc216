# shellcheck shell=sh
# --demo: show Rollcall at work in this folder. Sourced.
# shellcheck disable=SC2154 # given: $sources, $here, $once

DEMO_SECONDS=100
DEMO_PYTHON=3.10 # for the collector

run_demo() {
    demo=$sources/.venv-demo
    if [ ! -f "$here/demo/requirements.lock" ]; then
        say "the demo needs a checkout of Rollcall's source code, which this archive does not have"
        exit 1
    fi
    find_python own pip "$DEMO_PYTHON" || {
        say "the demo cannot run: $why"
        exit 1
    }
    ready_demo || exit 1
    exec "$demo/bin/python" -I "$here/demo/demo.py" ${once:+--once}
}

# All files that it makes are inside the checkout, those of pip too.
ready_demo() {
    wanted=$({ cat "$here/demo/requirements.lock" "$here/lib/demo.sh" && "$python" -I -V && printf '%s\n' "$sources"; } | cksum)
    [ "$(cat "$demo/made" 2>/dev/null)" != "$wanted" ] || return 0
    say "making a private environment in .venv-demo, with packages from the package index (about 10 s)"
    rm -rf "$demo" && mkdir -p "$demo/tmp" && "$python" -I -m venv --without-pip "$demo" &&
        pip=$(pythons_pip) || return
    silently "$demo/tmp" within "$DEMO_SECONDS" "$demo/bin/python" -I -c "$run_pip" "$pip" install --no-cache-dir --no-compile \
        --no-input --disable-pip-version-check --retries 1 --timeout 15 --only-binary :all: \
        --require-hashes --requirement "$here/demo/requirements.lock" || {
        say "the demo's packages could not be installed from the package index: check the network, or set PIP_INDEX_URL"
        return 1
    }
    site=$("$demo/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))') &&
        printf '%s\n' "$sources" "$here/demo" >"$site/checkout.pth" &&
        printf '%s\n' "$wanted" >"$demo/made"
}
