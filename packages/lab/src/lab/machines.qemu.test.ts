import { expect, test } from 'vitest'
import type { KernelKind } from '../kernel/kernel.ts'
import type { IommuKind } from '../qemu/machine-options.ts'
import { Lab } from './lab.ts'

const bindToVfio = `
  cd /sys/bus/pci/devices/0000:00:02.0
  echo vfio-pci >driver_override
  echo 0000:00:02.0 >/sys/bus/pci/drivers_probe
  group=$(basename "$(readlink iommu_group)")
  members=$(ls /sys/kernel/iommu_groups/$group/devices)
  [ -c /dev/vfio/$group ] && type1=yes
  [ -c /dev/iommu ] && iommufd=yes
  ls vfio-dev >/dev/null 2>&1 && [ -c "/dev/vfio/devices/$(ls vfio-dev)" ] && cdev=yes
  echo "\${type1:-no} \${iommufd:-no} \${cdev:-no} $members $(cat /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts)"
`

// A group of its own for the device, /dev/vfio/N, /dev/iommu, /dev/vfio/devices/vfioN, and whether interrupts are unsafe.
test.each<[KernelKind, IommuKind, string]>([
  ['iommufd', 'intel', 'yes yes yes 0000:00:02.0 N'],
  ['iommufd', 'amd', 'yes yes yes 0000:00:02.0 N'],
  ['iommufd', 'virtio', 'yes yes yes 0000:00:02.0 Y'],
  ['distro', 'intel', 'yes no no 0000:00:02.0 N'],
  ['distro', 'amd', 'yes no no 0000:00:02.0 N'],
])('kernel %s, IOMMU %s: a device can be given to VFIO', async (kernel, iommu, expected) => {
  await using lab = await Lab.boot({ kernel, iommu, nics: ['e1000e'] })
  const { stdout, stderr } = await lab.run(['sh', '-c', bindToVfio])
  expect(stderr.toString()).toBe('')
  expect(stdout.toString().trim()).toBe(expected)
})

test.each<KernelKind>(['iommufd', 'distro'])('kernel %s without an IOMMU has no groups', async (kernel) => {
  await using lab = await Lab.boot({ kernel, iommu: 'none', nics: ['e1000'] })
  expect((await lab.run(['ls', '/sys/kernel/iommu_groups'])).stdout.toString()).toBe('')
})

test('devices behind the bridge share a group', async () => {
  await using lab = await Lab.boot({
    nics: [
      { model: 'e1000', bus: 'bridge' },
      { model: 'e1000e', bus: 'bridge' },
    ],
  })
  const [first, second] = lab.devices
  const group = `/sys/bus/pci/devices/${first!.address}/iommu_group/devices`
  expect((await lab.run(['ls', group])).stdout.toString()).toContain(second!.address)
})

test('a module that is asked for is there before the first command', async () => {
  await using lab = await Lab.boot({ nics: ['e1000'], modules: ['e1000'] })
  expect((await lab.run(['ls', '/sys/class/net'])).stdout.toString()).toContain('eth0')
})

test('with icount a nanosecond is an instruction: the same work takes the same time', async () => {
  await using lab = await Lab.boot({ icount: true })
  expect(lab.description.accel).toBe('tcg')
  // The fastest of several rounds of integer arithmetic, after a warm-up: by then the compiler, which would choose by its
  // own timing, is done.
  const script = `
    const work = (count) => {
      let value = 1
      for (let i = 0; i < count; i++) value = (value * 1103515245 + 12345) | 0
      return value
    }
    const round = () => {
      const start = process.hrtime.bigint()
      work(3e6)
      return Number(process.hrtime.bigint() - start)
    }
    work(2e6)
    console.log(Math.min(...Array.from({ length: 5 }, round)))
  `
  const once = async () =>
    Number((await lab.run([process.execPath, '--single-threaded', '-e', script])).stdout.toString())
  const [a, b] = [await once(), await once()]
  expect(Math.abs(a - b) / a).toBeLessThan(0.005)
})
