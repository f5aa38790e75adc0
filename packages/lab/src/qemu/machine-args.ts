import type { KernelKind } from '../kernel/kernel.ts'
import type { IommuKind } from './machine-options.ts'

/** Everything that QEMU's command line is made of. */
export interface MachinePlan {
  readonly accel: 'tcg' | 'kvm'
  readonly kernel: KernelKind
  readonly iommu: IommuKind
  readonly icount: boolean
  readonly cores: number
  readonly memoryMiB: number
  readonly image: string
  readonly initramfs: string
  readonly append: readonly string[]
  readonly deviceArgs: readonly string[]
  readonly qemuArgs: readonly string[]
  /** Absent for a machine that only boots and ends. */
  readonly channels?: {
    /** The directory of the host that the guest sees read-only. */
    readonly hostRoot: string
    /** The directory that both can write to. */
    readonly share: string
    /** For each name, a UNIX socket on which the lab listens. */
    readonly ports: Readonly<Record<string, string>>
    readonly qmp: string
  }
}

// Slots of the root bus that are the lab's own, above all that devices under test can get.
const slot = { iommu: '0x1b', host: '0x1c', share: '0x1d', serial: '0x1e' }

/** QEMU's arguments for a machine. */
export function machineArgs(plan: MachinePlan): readonly string[] {
  const cores = plan.icount ? 1 : plan.cores
  return [
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    ...['-machine', 'q35,kernel-irqchip=split'],
    ...['-accel', accelerator(plan)],
    ...(plan.icount ? ['-icount', 'shift=0'] : []),
    ...['-cpu', 'max', '-smp', String(cores), '-m', String(plan.memoryMiB)],
    ...['-display', 'none', '-vga', 'none'],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...iommuArgs[plan.iommu],
    ...channelArgs(plan.channels),
    ...plan.deviceArgs,
    ...['-kernel', plan.image, '-initrd', plan.initramfs, '-append', kernelArguments(plan).join(' ')],
    ...plan.qemuArgs,
  ]
}

// virtio-iommu has to be there before the devices that it is for.
const iommuArgs: Readonly<Record<IommuKind, readonly string[]>> = {
  intel: ['-device', 'intel-iommu,intremap=on,caching-mode=on,device-iotlb=on'],
  amd: ['-device', 'amd-iommu,intremap=on'],
  virtio: ['-device', `virtio-iommu-pci,bus=pcie.0,addr=${slot.iommu}`],
  none: [],
}

function accelerator({ accel, icount }: MachinePlan): string {
  if (accel === 'kvm') return 'kvm'
  return icount ? 'tcg,thread=single' : 'tcg,thread=multi'
}

function channelArgs(channels: MachinePlan['channels']): readonly string[] {
  if (channels === undefined) return []
  const { hostRoot, share, ports, qmp } = channels
  const fs = 'local,security_model=none,multidevs=remap'
  return [
    ...['-fsdev', `${fs},id=host,path=${doubleCommas(hostRoot)},readonly=on`],
    ...['-device', `virtio-9p-pci,fsdev=host,mount_tag=openbar.host,bus=pcie.0,addr=${slot.host}`],
    ...['-fsdev', `${fs},id=share,path=${doubleCommas(share)}`],
    ...['-device', `virtio-9p-pci,fsdev=share,mount_tag=openbar.lab,bus=pcie.0,addr=${slot.share}`],
    ...['-device', `virtio-serial-pci,id=channels,bus=pcie.0,addr=${slot.serial}`],
    ...Object.entries(ports).flatMap(([name, path]) => [
      ...['-chardev', `socket,id=${name},path=${doubleCommas(path)}`],
      ...['-device', `virtserialport,bus=channels.0,chardev=${name},name=openbar.${name}`],
    ]),
    ...['-chardev', `socket,id=qmp,path=${doubleCommas(qmp)}`, '-mon', 'chardev=qmp,mode=control'],
  ]
}

function kernelArguments({ kernel, iommu, append, accel, icount }: MachinePlan): readonly string[] {
  return [
    // On a busy host the emulated timer may tick too late for the kernel's check, which then panics.
    ...['console=ttyS0', 'quiet', 'panic=-1', 'nokaslr', 'random.trust_cpu=on', 'no_timer_check'],
    // Under emulation on a busy host the timer that shall wake an idle processor gets lost now and then, and the guest hangs. With
    // ticks that go on there is a next one. Where instructions are counted they would be counted too.
    ...(accel === 'tcg' && !icount ? ['nohz=off'] : []),
    // Debian's kernel leaves Intel's IOMMU alone unless it is asked.
    ...(iommu === 'intel' ? ['intel_iommu=on'] : []),
    // What guards one program from another only costs instructions here. The other kernel is built without it.
    ...(kernel === 'distro' ? ['mitigations=off', 'apparmor=0', 'audit=0'] : []),
    ...append,
  ]
}

function doubleCommas(path: string): string {
  return path.replaceAll(',', ',,')
}
