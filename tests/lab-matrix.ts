import type { BackendName } from '@openbar/iommu'
import type { BootOptions } from '@openbar/lab'

/** One guest, and the test files that run in it, in one vitest process. */
export interface MatrixRow {
  /** What it is about, for a row that does not run what the others do. */
  readonly about?: string
  readonly machine: Pick<
    BootOptions,
    'iommu' | 'devices' | 'sparePorts' | 'memoryMiB' | 'cores' | 'append' | 'icount' | 'qemuArgs'
  > &
    Required<Pick<BootOptions, 'kernel' | 'iommu'>> & { readonly nics: readonly Nic[] }
  /** What domains stand on. Tests run once with each; they find the names in `$OPENBAR_BACKENDS`. */
  readonly backends: readonly BackendName[]
  /** vitest's filters: parts of the files' paths. */
  readonly files: readonly string[]
  /** Whether it is left to full runs, and to those that name it. */
  readonly onlyFull?: true
  /** What a full run runs instead. */
  readonly fullFiles?: readonly string[]
}

type Nic = Exclude<NonNullable<BootOptions['nics']>[number], string>

const e1000: Nic = { model: 'e1000' }
const e1000e: Nic = { model: 'e1000e' }
const onBridge: Nic = { ...e1000, bus: 'bridge' }
const onHub = (nic: Nic): Nic => ({ ...nic, net: { hub: 0 } })
const everything = ['tests/iommu/', 'tests/vfio/']
/** What hangs most on the IOMMU. */
const ofTheIommu = [
  'tests/iommu/compliance/',
  'tests/iommu/device',
  'tests/iommu/e1000',
  'tests/iommu/faults',
  'tests/iommu/translation',
  'tests/vfio/interrupts',
  'tests/vfio/reset',
]
/** All but what starts a process for each of its many cases. */
const ofDevices = [
  ...['adding', 'cdev', 'device-events', 'features', 'forgotten', 'given', 'hand-over', 'interrupts', 'kernel', 'mmio'],
  ...['optimized', 'power', 'regions', 'reset', 'two'],
].map((file) => `tests/vfio/${file}`)
/** Debian's kernel lets nobody map a BAR beside vfio-pci, which the yardstick of tests/vfio/mmio-speed does. */
const onDistro = [
  'tests/iommu/',
  ...[
    'adding',
    'cdev',
    'device-events',
    'features',
    'forgotten',
    'given',
    'hand-over',
    'interrupts',
    'kernel',
    'optimized',
  ],
  ...['power', 'regions', 'reset', 'stale', 'two', 'workers'],
].map((file) => (file.includes('/') ? file : `tests/vfio/${file}`))
/** As many vectors as MSI-X can have, and more than the CPUs of an ordinary guest can give. */
const manyVectors = { model: 'nvme', properties: { serial: 'lab', msix_qsize: '2048' } }
/** A device with 16 MSIs. */
const messages = { model: 'nec-usb-xhci', properties: { msi: 'on' } }
/** A device that can report errors: QEMU's e1000e has the registers for that, and cannot be told to. */
const reporting = { model: 'virtio-rng-pci', bus: 'port', properties: { aer: 'on' } } as const
const compliance = ['tests/iommu/compliance/']
const sharedGroup = ['tests/shared-group/']
const behindPort: Nic = { ...e1000e, bus: 'port' }

/**
 * Which lab tests run on which kernel, IOMMU and NIC. A row that runs no test is a failure. Two rows run at once: the long ones
 * stand first.
 *
 * `distro` kernels have no iommufd, so domains stand on type1 there. A virtio IOMMU has no interrupt remapping, and the lab
 * allows unsafe interrupts for it. iommufd's compat mode and Debian's kernel on AMD's IOMMU run what is about domains and devices.
 */
export const labMatrix: readonly MatrixRow[] = [
  {
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000, e1000e] },
    backends: ['iommufd', 'type1'],
    files: ['tests/iommu/'],
  },
  {
    about: 'devices',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000, e1000e] },
    backends: ['iommufd', 'type1'],
    files: ofDevices,
    fullFiles: ['tests/vfio/'],
  },
  {
    machine: { kernel: 'iommufd', iommu: 'amd', nics: [e1000, e1000e] },
    backends: ['iommufd', 'type1'],
    files: ofTheIommu,
    fullFiles: everything,
  },
  {
    machine: { kernel: 'iommufd', iommu: 'virtio', nics: [e1000, e1000e] },
    backends: ['iommufd', 'type1'],
    files: ofTheIommu,
    fullFiles: everything,
  },
  {
    machine: { kernel: 'distro', iommu: 'intel', nics: [e1000, e1000e] },
    backends: ['type1'],
    files: ['tests/iommu/', 'tests/vfio/adding', 'tests/vfio/interrupts', 'tests/vfio/reset', 'tests/vfio/given'],
    fullFiles: onDistro,
  },
  {
    machine: { kernel: 'distro', iommu: 'amd', nics: [e1000, e1000e] },
    backends: ['type1'],
    files: [...compliance, 'tests/iommu/device', 'tests/iommu/e1000'],
  },
  {
    about: 'endurance',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000, e1000e] },
    backends: ['iommufd', 'iommufd-compat', 'type1'],
    files: ['tests/endurance/rounds'],
  },
  {
    about: 'endurance, killed',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000, e1000e] },
    backends: ['iommufd', 'iommufd-compat', 'type1'],
    files: ['tests/endurance/kill'],
  },
  {
    about: 'device model',
    onlyFull: true,
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000, e1000e] },
    backends: ['iommufd', 'type1', 'iommufd-compat'],
    files: ['tests/device-model/'],
  },
  {
    about: 'hot-unplug',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [{ ...e1000e, bus: 'port' }] },
    backends: ['iommufd', 'iommufd-compat', 'type1'],
    files: ['tests/hot-plug/hot-unplug', 'tests/hot-plug/unplugged'],
  },
  {
    about: 'device errors',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [], devices: [reporting] },
    backends: ['iommufd', 'iommufd-compat', 'type1'],
    files: ['tests/hot-plug/device-error'],
  },
  {
    about: 'bad ends',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [onHub(e1000), onHub(e1000e)] },
    backends: ['iommufd', 'iommufd-compat', 'type1'],
    files: ['tests/under-traffic/'],
  },
  {
    about: 'overhead',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000e], icount: true },
    backends: ['iommufd', 'iommufd-compat', 'type1'],
    files: ['tests/overhead/'],
  },
  {
    // What V8 makes of these loops differs from run to run: it does not hold often enough to stand in the way of other work.
    about: 'register overhead',
    onlyFull: true,
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000e], icount: true },
    backends: ['iommufd'],
    files: ['tests/register-overhead/'],
  },
  {
    about: 'region kinds',
    machine: {
      kernel: 'iommufd',
      iommu: 'intel',
      nics: [],
      // Any file that begins as a ROM does: this one comes with QEMU.
      devices: [{ model: 'edu', properties: { romfile: 'vgabios-stdvga.bin' } }, 'sdhci-pci'],
    },
    backends: ['iommufd', 'type1'],
    files: ['tests/region-kinds/'],
  },
  {
    about: 'compat',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [e1000, e1000e] },
    backends: ['iommufd-compat'],
    files: [
      ...compliance,
      'tests/iommu/device',
      'tests/iommu/limits',
      'tests/iommu/memlock',
      'tests/iommu/translation',
      'tests/vfio/given',
      'tests/vfio/reset',
      'tests/vfio/kernel-selftests',
      'tests/vfio/two-openers',
    ],
  },
  {
    about: 'compat',
    machine: { kernel: 'iommufd', iommu: 'amd', nics: [e1000, e1000e] },
    backends: ['iommufd-compat'],
    files: compliance,
  },
  {
    about: 'compat',
    machine: { kernel: 'iommufd', iommu: 'virtio', nics: [e1000, e1000e] },
    backends: ['iommufd-compat'],
    files: compliance,
  },
  {
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [onBridge, onBridge] },
    backends: ['iommufd', 'type1', 'iommufd-compat'],
    files: sharedGroup,
  },
  {
    machine: { kernel: 'distro', iommu: 'intel', nics: [onBridge, onBridge] },
    backends: ['type1'],
    files: sharedGroup,
  },
  {
    about: 'reset behind ports',
    machine: {
      kernel: 'iommufd',
      iommu: 'intel',
      nics: [behindPort, { ...behindPort, properties: { multifunction: 'on' } }],
      // The second one's second function. At this speed the kernel does not wait for the link to be reported as up, which QEMU does
      // only for devices that were plugged in.
      qemuArgs: [
        ...['-device', 'e1000e,bus=port1,addr=0x0.0x1,romfile='],
        ...['-global', 'pcie-root-port.x-speed=2_5'],
      ],
    },
    backends: ['iommufd', 'type1', 'iommufd-compat'],
    files: ['tests/reset-behind-port/'],
  },
  {
    about: '1 GiB hugepages',
    machine: {
      kernel: 'iommufd',
      iommu: 'intel',
      nics: [e1000e],
      memoryMiB: 4096,
      append: ['hugepagesz=1G', 'hugepages=1'],
    },
    backends: ['iommufd', 'type1', 'iommufd-compat'],
    files: ['tests/hugepages-1g/'],
  },
  {
    about: 'unsafe no-IOMMU mode',
    machine: {
      kernel: 'iommufd',
      iommu: 'none',
      nics: [e1000, e1000e],
      append: ['vfio.enable_unsafe_noiommu_mode=1'],
    },
    backends: ['unsafe-noiommu'],
    files: ['tests/unsafe-noiommu/'],
  },
  // The mock IOMMU of the kernel's own tests works only where there is no other.
  {
    about: 'mock IOMMU',
    machine: { kernel: 'iommufd', iommu: 'none', nics: [e1000e] },
    backends: [],
    files: ['tests/iommufd-mock/'],
  },
  {
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [], devices: ['edu'] },
    backends: ['iommufd', 'type1', 'iommufd-compat'],
    files: ['tests/edu-dma/'],
  },
  {
    about: '2,048 vectors',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [], devices: [manyVectors], cores: 16 },
    backends: ['iommufd', 'type1'],
    files: ['tests/vectors/many-vectors'],
  },
  {
    about: 'few vectors',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [], devices: [manyVectors, messages] },
    backends: ['iommufd', 'type1'],
    files: ['tests/vectors/few-vectors'],
  },
  {
    about: 'few vectors',
    machine: { kernel: 'distro', iommu: 'intel', nics: [], devices: [manyVectors, messages] },
    backends: ['type1'],
    files: ['tests/vectors/few-vectors'],
  },
  {
    about: 'interrupt latency',
    machine: { kernel: 'iommufd', iommu: 'intel', nics: [], devices: ['edu'] },
    backends: [],
    files: ['tests/interrupt-latency/'],
  },
  {
    machine: { kernel: 'distro', iommu: 'none', nics: [e1000, e1000e] },
    backends: [],
    files: ['tests/no-iommu/'],
  },
  {
    about: 'SR-IOV',
    machine: {
      kernel: 'iommufd',
      iommu: 'intel',
      nics: [],
      // Virtual functions need a bus that counts on beyond their physical one's, which a root port gives, and an NVMe subsystem, which
      // stands on no bus. A port that takes hot-plugged devices would hide those that appear in it later.
      qemuArgs: [
        ...['-device', 'nvme-subsys,id=subsystem'],
        ...['-device', 'pcie-root-port,id=sriov,bus=pcie.0,addr=0x10,chassis=90,slot=90,hotplug=off'],
        '-device',
        'nvme,serial=sriov,subsys=subsystem,bus=sriov,sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=1,max_ioqpairs=4,msix_qsize=5',
      ],
    },
    backends: ['iommufd', 'type1', 'iommufd-compat'],
    files: ['tests/sr-iov/'],
  },
]

/** What a row is called in results: `distro × intel × e1000+e1000e`; NICs in one group stand in brackets. */
export function rowName({ about, machine: { kernel, iommu, nics, devices = [] } }: MatrixRow): string {
  const models = devices.map((device) => (typeof device === 'string' ? device : device.model))
  const names = [...nics.map(({ model }) => model), ...models].join('+')
  const machine = [kernel, iommu, nics.some(({ bus }) => bus === 'bridge') ? `[${names}]` : names].join(' × ')
  return about === undefined ? machine : `${about}: ${machine}`
}
