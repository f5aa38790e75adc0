const machineHelp = `Machine:
  --nic MODEL[,OPTION...]   a network card; repeatable. MODEL: e1000, e1000e, e1000-82545em, igb (QEMU 8+), virtio-net-pci, ...
                              net=user|hub|hub:N|socket:KEY=VALUE|none   default user, whose gateway is 10.0.2.2
                              bus=root|port|bridge   alone / behind a root port, can be unplugged / sharing a group
                              mac=52:54:00:00:00:01, id=nic0, and any property that QEMU has for the model
  --device MODEL[,OPTION]   any other PCI device, such as edu; bus= and id= as above; repeatable
  --spare-ports N           empty root ports spare0, spare1, ... to plug devices into
  --iommu KIND              intel (default), amd, virtio or none
  --kernel KIND             iommufd (default): built for the lab; distro: Debian's own, type1 containers only
  -m, --memory SIZE         2048M by default
  --cores N                 2 by default
  --icount                  one core whose clock counts instructions: 1 ns each
  --accel KIND              auto (default): KVM where a probe boot showed that it works; tcg; kvm
  --module NAME             a kernel module to load before the command, such as e1000; repeatable
  --append ARGUMENT         a further kernel argument; repeatable
  --qemu-arg ARGUMENT       a further QEMU argument; repeatable (--qemu-arg=-trace --qemu-arg=...)
  --boot-timeout TIME       2m by default

Devices stand at 0000:00:02.0, 0000:00:03.0, ... in the order NICs, other devices, spare ports.
`

/** What `--help` prints, by command. */
export const helpTexts = {
  main: `A QEMU machine with an IOMMU, to try and test PCI drivers in.

Usage: openbar-lab COMMAND [OPTIONS]

  setup    install what is missing and make the guest kernels (once)
  run      boot a machine, run a command in it, power off
  shell    boot a machine and get a root shell on its console
  doctor   show what is there, what is missing, and how to get it

Examples:
  openbar-lab setup
  openbar-lab run --nic e1000e -- ls -l /sys/bus/pci/devices/0000:00:02.0/
  openbar-lab shell --nic e1000 --iommu amd

Each command has --help.
`,
  setup: `Install the Debian packages that are missing and make the guest kernels. What is there is not made again.

Usage: openbar-lab setup [--kernel iommufd|distro|all] [--update]

  --kernel KIND   all by default. iommufd takes 5 to 8 minutes on two cores, distro under a minute
  --update        make kernels anew when Debian has newer ones

As root, packages are installed with apt. Otherwise the one command to run as root is printed, with exit code 3.
`,
  run: `Boot a machine, run a command in it, and power off. The command runs in the same directory as here, with the host's
files read-only and a writable /tmp that is thrown away. Its exit code becomes this one's; 125 means that the lab failed.

Usage: openbar-lab run [OPTIONS] -- COMMAND [ARGUMENT...]

  -t, --timeout TIME        what the command may take: 90, 90s, 2m
  -e, --env NAME[=VALUE]    an environment variable for the command; repeatable
  -v, --verbose             show the machine's devices and how long its parts took, on stderr

${machineHelp}
Examples:
  openbar-lab run --nic e1000 --nic e1000e -- node examples/ping.ts
  openbar-lab run --nic e1000e,net=hub --nic e1000e,net=hub --iommu amd -- npm test
  openbar-lab run --nic e1000,bus=bridge --device edu,bus=bridge -- find /sys/kernel/iommu_groups -type l
  openbar-lab run --kernel distro --module e1000e --nic e1000e -- ip link
`,
  shell: `Boot a machine and get a root shell on its serial console. \`exit\` powers it off; Ctrl-] twice kills it.

Usage: openbar-lab shell [OPTIONS] [-- COMMAND [ARGUMENT...]]

  -e, --env NAME[=VALUE]    an environment variable; repeatable

${machineHelp}`,
  doctor: `Show what the lab finds on this machine, what is missing, and how to get it. Exits with 1 when something is missing.

Usage: openbar-lab doctor
`,
} as const
