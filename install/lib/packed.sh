# shellcheck shell=sh
# Is what is installed from the archive as it was packed? Sourced.
# shellcheck disable=SC2034,SC2154 # given: $sources and $python; sets $why

# Prints the first file that differs, of those that an installation uses: a vendor may change the others. pip checks
# the wheels against the locks.
look_at_archive='
import glob, hashlib, os, re, sys
os.chdir(sys.argv[1] or "/")
used = re.compile(r"(docker\.env\.example|docs/operations\.md|install/(lib/)?[^/]+|systemd/[^/]+|wheels/[^/]+\.lock)\n")
def digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
lines = [line.split("  ", 1) for line in open("SHA256SUMS", encoding="utf-8")]
sums = {path: sum for sum, path in lines}
there = [path + "\n" for pattern in ("*", "*/*", "install/lib/*") for path in glob.glob(pattern)]
for path in sorted({*sums, *there}):  # a folder has no digest, and no line
    if used.fullmatch(path) and digest(path[:-1]) != sums.get(path):
        print(path[:-1])
        sys.exit(1)'

is_as_packed() {
    [ -f "$sources/SHA256SUMS" ] || return 0 # a checkout has none
    found=$("$python" -I -c "$look_at_archive" "$sources" 2>/dev/null) && return
    why="$sources/${found:-SHA256SUMS} is not as it was packed: unpack the archive again"
    return 1
}
