# shellcheck shell=sh
# Which Python of this machine the agent is to run on. Sourced; sets $python and $python_version, or $why.
# shellcheck disable=SC2034

OLDEST_PYTHON=3.9
os_release=/etc/os-release

# The pip that Python has for new environments: a wheel, which runs without being installed.
# Debian and Fedora keep it in other places.
find_pip='
import glob, os, sysconfig
def bundled_pip():
    import ensurepip
    places = [os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), "/usr/share/python-wheels"]
    places.append(sysconfig.get_config_var("WHEEL_PKG_DIR") or places[0])
    found = [wheel for place in places for wheel in sorted(glob.glob(place + "/pip-*.whl"))]
    if not found:
        raise ImportError("no wheel of pip", name="ensurepip")
    return found[0]
'

# Prints "ok PATH", or what is wrong. It runs on any python3, however old.
# shellcheck disable=SC2016
look_at_python=$find_pip'
import sys
place = os.path.realpath(sys.executable)
def open_to_all(path):
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 1:
            return False
    return not path.startswith(("/home/", "/root/"))
version = "%d.%d" % sys.version_info[:2]
if list(sys.version_info) < [int(number) for number in sys.argv[3].split(".")]:
    print("old " + version)
elif sys.argv[1] == "shared" and not (open_to_all(place) and open_to_all(sys.base_prefix + "/x")):
    print("home " + place)
else:
    try:
        import venv, ssl, zlib, sqlite3
        if sys.argv[2] == "pip":
            bundled_pip()
        print("ok " + version + " " + sys.executable)
    except ImportError as why:
        print("lacks %s %s" % (why.name or "ensurepip", place))
'

# KIND is `shared` if other users run it too; PIP is `pip` if it must have one of its own.
find_python() { # KIND PIP [OLDEST]
    python='' wrong='' oldest=${3:-$OLDEST_PYTHON}
    for candidate in python3 /usr/bin/python3 /usr/local/bin/python3 \
        python3.13 python3.12 python3.11 python3.10 python3.9; do
        candidate=$(command -v "$candidate" 2>/dev/null) || continue
        found=$("$candidate" -I -c "$look_at_python" "$1" "$2" "$oldest" </dev/null 2>/dev/null) || continue
        case $found in
        ok\ *)
            found=${found#ok }
            python=${found#* } python_version=${found%% *}
            return
            ;;
        *) wrong=${wrong:-$found} ;;
        esac
    done
    how=$(how_to_get "$oldest")
    case $wrong in
    '') why="there is no Python here; $oldest or newer is needed: $how" ;;
    old*) why="Python here is ${wrong#old }; $oldest or newer is needed: $how" ;;
    home*) why="${wrong#home } is in a home directory, where a service cannot run it: $how, or install with --user" ;;
    *)
        wrong=${wrong#lacks }
        why="${wrong#* } lacks the module ${wrong%% *}: $how"
        ;;
    esac
    return 1
}

# Python 3.9 has locked versions of its own, the last that run there.
lock_for() { # PYTHON-VERSION NAME
    case $1 in
    3.9) printf '%s-3.9.lock\n' "$2" ;;
    *) printf '%s.lock\n' "$2" ;;
    esac
}

# What brings a Python, by distribution (as /etc/os-release calls it) and its release: from which release
# on, the Python that comes, the command. A release without a line of its own is as the one before it.
PYTHON_PACKAGES='
debian 11 3.9 apt-get install python3 python3-venv
debian 12 3.11 apt-get install python3 python3-venv
ubuntu 20.04 3.9 apt-get install python3.9 python3.9-venv
ubuntu 22.04 3.10 apt-get install python3 python3-venv
rhel 8 3.11 dnf install python3.11
rhel 9 3.9 dnf install python3
rhel 9 3.11 dnf install python3.11
rhel 10 3.12 dnf install python3
amzn 2023 3.9 dnf install python3
amzn 2023 3.11 dnf install python3.11
fedora 33 3.9 dnf install python3
fedora 35 3.10 dnf install python3
alpine 3.14 3.9 apk add python3
alpine 3.16 3.10 apk add python3
sles 15.4 3.11 SUSEConnect -p sle-module-python3/RELEASE/MACHINE && zypper install python311
sles 16 3.13 zypper install python313
opensuse-leap 15.3 3.9 zypper install python39
opensuse-leap 15.4 3.11 zypper install python311
opensuse-leap 16 3.13 zypper install python313
opensuse-tumbleweed 0 3.13 zypper install python3
arch 0 3.13 pacman -S python'

# shellcheck disable=SC2016
command_for_release='
function number(version, part) {
    split(version, part, ".")
    return part[1] * 1000 + part[2]
}
BEGIN {
    split("almalinux=rhel centos=rhel ol=rhel rocky=rhel raspbian=debian sled=sles sles_sap=sles", pairs, " ")
    for (i in pairs) { split(pairs[i], pair, "="); same[pair[1]] = pair[2] }
    id = (id in same) ? same[id] : id
}
NF && $1 == id { known = 1 }
{ lines[NR] = $0 }
END {
    # A distribution that is like another counts its own releases, so it is taken for the newest one.
    if (!known) {
        release = ""
        split(like, parents, " ")
        for (i = 1; !known && (i in parents); i++) {
            id = (parents[i] in same) ? same[parents[i]] : parents[i]
            if (id == "suse" || id == "opensuse") id = "opensuse-tumbleweed"
            for (n = 1; n <= NR; n++) { split(lines[n], word, " "); if (word[1] == id) known = 1 }
        }
    }
    if (!known) { print "unknown"; exit }
    best = -1
    for (n = 1; n <= NR; n++) {
        split(lines[n], word, " ")
        if (word[1] != id || (release != "" && number(word[2]) > number(release))) continue
        if (number(word[2]) > best) { best = number(word[2]); found = "" }
        if (found == "" && number(word[3]) >= number(oldest)) {
            found = lines[n]
            sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", found)
        }
    }
    print found
}'

# What to do on this distribution and release.
how_to_get() { # OLDEST
    found=$(printf '%s\n' "$PYTHON_PACKAGES" | awk -v oldest="$1" -v id="$(os_says ID)" \
        -v like="$(os_says ID_LIKE)" -v release="$(os_says VERSION_ID)" "$command_for_release")
    case $found in
    unknown) printf "install your system's package of python3, with its venv module" ;;
    '') printf '%s has no package of it: install Rollcall on a newer release, or a Python in /usr/local' "$(os_says PRETTY_NAME)" ;;
    *) printf '%s' "$found" | sed -e "s/RELEASE/$(os_says VERSION_ID)/" -e "s/MACHINE/$(uname -m)/" ;;
    esac
}

os_says() { # KEY
    sed -n "s/^$1=//p" "$os_release" 2>/dev/null | tr -d "\"'" | tail -n 1
}
