#!/bin/sh
# The first program in the guest: mounts the host's files, makes the root file system, and hands over to /agent.
bb=/bin/busybox
step='start'
fail() {
  echo "openbar-lab: boot failed while trying to $step: $1" >/dev/console
  $bb sleep 1
  $bb poweroff -f
}
must() {
  message=$("$@" 2>&1) || fail "$message"
}

step='mount /proc, /sys and /dev'
must $bb mount -t proc proc /proc
must $bb mount -t sysfs sysfs /sys
must $bb mount -t devtmpfs devtmpfs /dev

case " $($bb cat /proc/cmdline) " in
  *' openbar.probe '*)
    echo 'openbar-lab: probe passed' >/dev/console
    $bb poweroff -f
    ;;
esac

step='load the modules that booting needs'
while read -r module; do
  must $bb insmod "/modules/$module.ko"
done </modules/order

step="mount the host's files"
mount_9p() {
  # A device that has just been found may take a moment to get its driver.
  tries=0
  until message=$($bb mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2" 2>&1); do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "$message"
    $bb usleep 20000
  done
}
mount_9p openbar.host /host cache=loose,ro
mount_9p openbar.lab /lab cache=none
. /lab/boot.sh

step='make the root file system'
# The root is the host's, with a thin layer in memory on top that exists for the sake of mount points and is made read-only
# once they are there.
must $bb mount -t tmpfs -o mode=755 tmpfs /upper
$bb mkdir -p /upper/root/upper /upper/root/work /upper/tmp/upper /upper/tmp/work /upper/vartmp/upper /upper/vartmp/work
must $bb mount -t overlay -o lowerdir=/host,upperdir=/upper/root/upper,workdir=/upper/root/work root /root
release=$($bb uname -r)
for directory in proc sys dev run tmp var/tmp "lib/modules/$release"; do
  [ -d "/root/$directory" ] || must $bb mkdir -p "/root/$directory"
done
must $bb mount --bind "/host$LAB_KERNEL/lib/modules/$release" "/root/lib/modules/$release"
# What lies in the host's /tmp can be seen, and written on top of, but what is written stays in the guest.
for pair in tmp:tmp vartmp:var/tmp; do
  layer=/upper/${pair%%:*}
  where=${pair#*:}
  if [ -d "/host/$where" ]; then
    $bb chmod 1777 "$layer/upper"
    must $bb mount -t overlay -o "lowerdir=/host/$where,upperdir=$layer/upper,workdir=$layer/work" "${pair%%:*}" "/root/$where"
  else
    must $bb mount -t tmpfs -o mode=1777 tmpfs "/root/$where"
  fi
done

step='mount what a running system has'
must $bb mount -t tmpfs -o mode=755 tmpfs /root/run
$bb mkdir -p /root/run/openbar-lab /root/run/lock /root/run/home /root/run/agent/bin
must $bb mount --move /lab /root/run/openbar-lab
$bb cp /bin/busybox /root/run/agent/bin/busybox
$bb cp /agent /root/run/agent/agent
$bb mkdir -p /dev/shm /dev/pts /dev/hugepages /dev/virtio-ports
must $bb mount -t tmpfs -o mode=1777 tmpfs /dev/shm
must $bb mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
$bb mount -t hugetlbfs hugetlbfs /dev/hugepages 2>/dev/null
$bb mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
$bb mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
$bb ln -s /proc/self/fd /dev/fd
$bb ln -s fd/0 /dev/stdin
$bb ln -s fd/1 /dev/stdout
$bb ln -s fd/2 /dev/stderr
# busybox looks /proc/mounts up for this, so it comes before /proc moves.
must $bb mount -o remount,ro /root
for directory in proc sys dev; do
  must $bb mount --move "/$directory" "/root/$directory"
done

step='hand over to the agent'
exec $bb switch_root /root /run/agent/bin/busybox sh /run/agent/agent
fail 'switch_root failed'
