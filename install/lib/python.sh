# shellcheck shell=sh
# Which Python of this machine the agent is to run on. Sourced; sets $python, or $why.
# shellcheck disable=SC2034

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
if sys.version_info < (3, 10):
    print("old %d.%d" % sys.version_info[:2])
elif sys.argv[1] == "shared" and not (open_to_all(place) and open_to_all(sys.base_prefix + "/x")):
    print("home " + place)
else:
    try:
        import venv, ssl, zlib, sqlite3
        if sys.argv[2] == "pip":
            bundled_pip()
        print("ok " + sys.executable)
    except ImportError as why:
        print("lacks %s %s" % (why.name or "ensurepip", place))
'

# KIND is `shared` if other users run it too; PIP is `pip` if it must have one of its own.
find_python() { # KIND PIP
    python='' wrong=''
    for candidate in python3 /usr/bin/python3 /usr/local/bin/python3 \
        python3.13 python3.12 python3.11 python3.10; do
        candidate=$(command -v "$candidate" 2>/dev/null) || continue
        found=$("$candidate" -I -c "$look_at_python" "$1" "$2" </dev/null 2>/dev/null) || continue
        case $found in
        ok\ *) python=${found#ok } && return ;;
        *) wrong=${wrong:-$found} ;;
        esac
    done
    case $wrong in
    '') why="there is no Python here; 3.10 or newer is needed: $(how_to_get)" ;;
    old*) why="Python here is ${wrong#old }; 3.10 or newer is needed: $(how_to_get)" ;;
    home*) why="${wrong#home } is in a home directory, where a service cannot run it: $(how_to_get), or install with --user" ;;
    *)
        wrong=${wrong#lacks }
        why="${wrong#* } lacks the module ${wrong%% *}: $(how_to_get)"
        ;;
    esac
    return 1
}

# One command for this distribution.
how_to_get() {
    distribution=$(sed -n 's/^ID\(_LIKE\)\{0,1\}=//p' /etc/os-release 2>/dev/null | tr -d '"' | tr '\n' ' ')
    case " $distribution" in
    *\ debian* | *\ ubuntu*) printf 'apt-get install python3 python3-venv' ;;
    *\ alpine*) printf 'apk add python3' ;;
    *\ rhel* | *\ fedora* | *\ centos*) printf 'dnf install python3.11' ;;
    *\ suse* | *\ opensuse* | *\ sles*) printf 'zypper install python311' ;;
    *\ arch*) printf 'pacman -S python' ;;
    *) printf "install your system's package of python3, with its venv module" ;;
    esac
}
