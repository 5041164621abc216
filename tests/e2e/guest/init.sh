#!/bin/busybox sh
# PID 1 of the guest of test_power_cut.py: its disks, its network, and then the one program it is for.
# From the kernel's command line: $OPTIONS for the mounts of the data, $UNSAFE for the program.
set -eu
PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
    failover net_failover virtio_net virtio_console; do
    insmod "/modules/$module.ko"
done
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0

# What nobody flushes stays in memory, and is lost.
for setting in writeback_centisecs=0 expire_centisecs=1000000 ratio=90 background_ratio=80; do
    echo "${setting#*=}" >"/proc/sys/vm/dirty_${setting%=*}"
done
mount -t ext4 -o ro /dev/vda /root
mount -t ext4 -o "commit=3600,noatime$OPTIONS" /dev/vdb /root/data/sqlite
mount -t ext4 -o "commit=3600,noatime$OPTIONS" /dev/vdc /root/data/postgresql
mkdir /dev/shm
mount --bind /dev /root/dev
for scratch in tmp run dev/shm; do
    mount -t tmpfs -o mode=1777 scratch "/root/$scratch"
done
exec env -i LC_ALL=C.UTF-8 chroot /root /opt/collector/bin/python -I /stores.py "$UNSAFE"
