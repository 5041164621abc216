#!/bin/sh
# Runs somebody's installer where it can change nothing: sandbox.sh WORK POINT COMMAND [AFTER]
#
# It is to be started in namespaces of its own (unshare --mount --net --pid ...). All of the machine's files
# can be read, and all that is written goes to memory and is gone afterwards. COMMAND runs in a copy of
# WORK/scratch; AFTER tells what was reported. What came of both is left in WORK. The stub fails at its
# POINTth call; at point 0 only the dangerous programs are stubbed.
set -eu
WORK=$1 POINT=$2 COMMAND=$3 AFTER=${4:-}
SECONDS_AT_MOST=30
LOST=-sys_admin,-sys_boot,-sys_time,-sys_module,-sys_rawio,-mknod,-sys_ptrace,-syslog,-audit_control,-mac_admin
DANGEROUS="reboot shutdown poweroff halt init telinit mkfs mkfs.ext4 swapon swapoff mount umount modprobe insmod
sysctl sleep pkill killall fuser hwclock timedatectl hostnamectl chpasswd"

mount --make-rprivate /
mount -t tmpfs -o size=2g none /mnt
root=/mnt/root
mkdir /mnt/upper /mnt/work $root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay $root
for folder in dev home run tmp; do
    mount -t tmpfs -o mode=755 none $root/$folder
done
chmod 1777 $root/tmp
mount -t proc proc $root/proc
mount --bind $root/proc/sys $root/proc/sys
mount -o remount,bind,ro $root/proc/sys
[ ! -e $root/proc/sysrq-trigger ] || mount --bind /dev/null $root/proc/sysrq-trigger
for device in null zero full random urandom; do
    : >$root/dev/$device
    mount --bind /dev/$device $root/dev/$device
done
ln -s /proc/self/fd $root/dev/fd
ln -s /proc/self/fd/0 $root/dev/stdin
ln -s /proc/self/fd/1 $root/dev/stdout
ln -s /proc/self/fd/2 $root/dev/stderr
checkout=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root$checkout"
mount --bind "$checkout" "$root$checkout"
mount -o remount,bind,ro "$root$checkout"

mkdir -p $root/home/admin $root/home/rollcall $root/run/stubs
cp -a "$WORK/scratch" $root/home/scratch
cp "$WORK/xtrace" $root/home/rollcall
cp "$checkout/bench/stub.sh" $root/run/stubs/stub
chmod 755 $root/run/stubs/stub
echo "$POINT" >$root/run/stubs/point
: >$root/run/stubs/calls
stub() {
    for folder in usr/local/sbin usr/local/bin usr/sbin; do
        rm -f "$root/$folder/$1"
    done
    ln -sf /run/stubs/stub "$root/usr/bin/$1"
}
for program in $DANGEROUS; do stub "$program"; done
if [ "$POINT" -gt 0 ]; then
    while read -r program; do stub "$program"; done <"$checkout/bench/stubbed"
fi

inside() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/admin USER=root \
        LANG=C.UTF-8 ROLLCALL_STATE_DIR=/home/rollcall/state \
        setpriv --bounding-set "$LOST" --inh-caps "$LOST" chroot $root "$@"
}
status=0
inside /usr/bin/timeout -k 2 "$SECONDS_AT_MOST" sh -c "cd /home/scratch && $COMMAND" \
    <"$WORK/answers" >"$WORK/out" 2>"$WORK/err" || status=$?
echo "$status" >"$WORK/status"
cp $root/run/stubs/calls "$WORK/calls"
cp $root/home/rollcall/trace "$WORK" 2>/dev/null || : >"$WORK/trace"
(
    cd /mnt/upper
    find . -type f -exec sha256sum {} +
    cd $root
    find home/admin home/scratch -type f -exec sha256sum {} +
) 2>/dev/null | sort -k2 >"$WORK/files"
[ -z "$AFTER" ] || inside sh -c "$AFTER" >"$WORK/log" 2>/dev/null </dev/null || :
