import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** What a function of a {@link fakeSysfs} is; what is absent is as on a plain NIC that no driver is bound to. */
export interface FakeFunction {
  readonly vendor?: number
  readonly device?: number
  readonly class?: number
  readonly driver?: string
  readonly override?: string
  readonly group?: number
  readonly numaNode?: number
  readonly resources?: readonly string[]
  readonly config?: Uint8Array
}

const EMPTY = '0x0000000000000000 0x0000000000000000 0x0000000000000000'

/** Builds a PCI part of sysfs in a temporary directory, laid out and spelled as the kernel's; gone after the test. */
export function fakeSysfs(functions: Record<string, FakeFunction>, drivers: readonly string[] = []): string {
  const root = mkdtempSync(join(tmpdir(), 'openbar-sysfs-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const bus = join(root, 'bus/pci')
  mkdirSync(join(bus, 'devices'), { recursive: true })
  writeFileSync(join(bus, 'drivers_probe'), '')
  const bound = Object.values(functions).flatMap((fn) => fn.driver ?? [])
  for (const driver of new Set([...drivers, ...bound])) {
    mkdirSync(join(bus, 'drivers', driver), { recursive: true })
    writeFileSync(join(bus, 'drivers', driver, 'unbind'), '')
  }
  for (const [address, fn] of Object.entries(functions)) addFunction(root, address, fn)
  return root
}

function addFunction(root: string, address: string, fn: FakeFunction): void {
  // In the real tree, too, the bus directory holds links into /sys/devices.
  const home = join(root, 'devices/pci0000:00', address)
  mkdirSync(home, { recursive: true })
  symlinkSync(`../../../devices/pci0000:00/${address}`, join(root, 'bus/pci/devices', address))
  const attributes: Record<string, string> = {
    vendor: hex(fn.vendor ?? 0x8086, 4),
    device: hex(fn.device ?? 0x10d3, 4),
    subsystem_vendor: '0x8086',
    subsystem_device: '0x0000',
    revision: '0x00',
    class: hex(fn.class ?? 0x020000, 6),
    numa_node: `${fn.numaNode ?? -1}`,
    driver_override: fn.override ?? '(null)',
    resource: Array.from({ length: 13 }, (_, index) => fn.resources?.[index] ?? EMPTY).join('\n'),
  }
  for (const [name, value] of Object.entries(attributes)) writeFileSync(join(home, name), `${value}\n`)
  if (fn.config !== undefined) writeFileSync(join(home, 'config'), fn.config)
  if (fn.driver !== undefined) symlinkSync(`../../../bus/pci/drivers/${fn.driver}`, join(home, 'driver'))
  if (fn.group !== undefined) symlinkSync(`../../../kernel/iommu_groups/${fn.group}`, join(home, 'iommu_group'))
}

function hex(value: number, length: number): string {
  return `0x${value.toString(16).padStart(length, '0')}`
}
