import fc from 'fast-check'
import { expect, test } from 'vitest'
import { moduleName, moduleOrder, parseModulesDep } from './module-order.ts'

const dep = `kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/netfs/netfs.ko
kernel/net/9p/9pnet.ko:
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/fs/netfs/netfs.ko:
kernel/drivers/vfio/pci/vfio-pci.ko:
`

test('each module comes after all that it needs, once', () => {
  expect(moduleOrder(parseModulesDep(dep), ['9pnet_virtio', '9p']).map(moduleName)).toEqual([
    '9pnet',
    'virtio_ring',
    '9pnet_virtio',
    'netfs',
    '9p',
  ])
})

test('dashes and underscores are the same, and unknown names are left out', () => {
  expect(moduleOrder(parseModulesDep(dep), ['vfio_pci', 'overlay'])).toEqual(['kernel/drivers/vfio/pci/vfio-pci.ko'])
})

test('any acyclic set of modules is put in order', () => {
  // A module may need any with a lower number, listed in any order.
  const graph = fc.array(fc.array(fc.nat(30), { maxLength: 5 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(graph, (needs) => {
      const name = (index: number) => `m${index}.ko`
      const all = new Map(needs.map((list, index) => [name(index), list.filter((each) => each < index).map(name)]))
      const order = moduleOrder(all, [...all.keys()].map(moduleName))
      expect(order.length).toBe(all.size)
      for (const [module, needed] of all) {
        for (const each of needed) expect(order.indexOf(each)).toBeLessThan(order.indexOf(module))
      }
    }),
  )
})
