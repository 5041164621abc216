#!/bin/sh
# PID 1 of fresh namespaces becomes a real systemd, on a root under an overlay: this machine's own, or another.
# Started by machine.py, which has made the namespaces and the control group.
# $1: an empty directory; $2: the host name; $3: the root
set -eu
base=$1 name=$2 lower=$3 root=$1/root

mount -t tmpfs -o mode=755 box "$base"
mkdir "$base/root"

# Overlays do not reach across mount points: each of these may be one of its own.
overlay() { # SOURCE TARGET LABEL
    mkdir "$base/$3.upper" "$base/$3.work"
    mount -t overlay -o "lowerdir=$1,upperdir=$base/$3.upper,workdir=$base/$3.work" "$3" "$2"
}
overlay "$lower" "$root" root
for top in usr var opt; do
    if [ "$lower" = / ] && mountpoint -q "/$top"; then overlay "/$top" "$root/$top" "$top"; fi
done

mount -t proc proc "$root/proc"
# What no namespace confines is not for the box to write: the network's settings are its own.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 dev "$root/dev"
# Nodes of its own: a container's runtime gives /dev/null to the container's user.
while read -r node major minor; do
    mknod -m 666 "$root/dev/$node" c "$major" "$minor"
done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
for scratch in run tmp var/tmp; do
    mount -t tmpfs -o mode=1777 scratch "$root/$scratch"
done
chmod 755 "$root/run"

# Nothing that this machine was set up to start is started in the box, and nothing for devices.
mount -t tmpfs -o mode=755 units "$root/etc/systemd/system"
for unit in systemd-udevd systemd-udev-trigger systemd-networkd systemd-resolved \
    systemd-timesyncd systemd-firstboot; do
    ln -s /dev/null "$root/etc/systemd/system/$unit.service"
done
: >"$root/etc/fstab"
rm -rf "$root/etc/machine-id" "$root/var/log/journal" "$root/var/lib/rollcall" "$root/usr/sbin/policy-rc.d"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
hostname "$name"
echo "$name" >"$root/etc/hostname"
ip link set lo up

cd "$root"
mkdir .old
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared / # or systemd hands out empty credentials
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog,-sys_boot -- \
    env -i container=rollcall-test LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --show-status=no --unit=multi-user.target
