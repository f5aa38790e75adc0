# Process 1 of the guest, once its files are there: runs what the host asks for, one command after the other.
. /run/openbar-lab/boot.sh
bin=/run/agent/bin
# Found last: only where the host's system lacks a tool does busybox stand in.
$bin/busybox --install -s $bin
export PATH="$LAB_PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:$bin"

# Process 1 has no business with signals from a terminal.
trap '' INT QUIT TSTP

hostname openbar-lab
ip link set lo up 2>/dev/null || ifconfig lo up
[ -x /sbin/modprobe ] || echo $bin/modprobe >/proc/sys/kernel/modprobe

for port in /sys/class/virtio-ports/*; do
  [ -e "$port/name" ] && ln -s "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done
mkfifo /run/agent/out /run/agent/err
# One pump per stream for the whole boot. A command's last output and the marker that follows it go through the same
# pipe, so that the marker cannot come first. Held open here, the pipes outlive every command.
cat </run/agent/out >/dev/virtio-ports/openbar.out &
cat </run/agent/err >/dev/virtio-ports/openbar.err &
exec 3<>/dev/virtio-ports/openbar.control 4<>/run/agent/out 5<>/run/agent/err

problems=''
load() {
  message=$(modprobe "$@" 2>&1) || problems="$problems$* ($message); "
}
if [ -n "$LAB_UNSAFE_INTERRUPTS" ]; then
  for module in vfio_iommu_type1 iommufd; do
    parameter=/sys/module/$module/parameters/allow_unsafe_interrupts
    [ -w $parameter ] && echo 1 >$parameter
  done
fi
for module in $LAB_MODULES; do
  load "$module"
done
echo "ready $(uname -r) ${problems:-ok}" >&3

while read -r verb id marker <&3; do
  case $verb in
    run)
      setsid /bin/sh "/run/openbar-lab/commands/$id" </dev/null >&4 2>&5 3>&- 4>&- 5>&-
      code=$?
      ;;
    terminal)
      setsid -c /bin/sh "/run/openbar-lab/commands/$id" </dev/ttyS0 >/dev/ttyS0 2>&1 3>&- 4>&- 5>&-
      code=$?
      ;;
    *)
      break
      ;;
  esac
  printf %s "$marker" >&4
  printf %s "$marker" >&5
  echo "exit $id $code" >&3
done
sync
poweroff -f
