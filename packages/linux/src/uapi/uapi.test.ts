import { describe, expect, test } from 'vitest'
import type { FdKind } from '../fd.ts'
import type { IoctlRequest } from '../ioctl.ts'
import type { FieldLayout, Struct } from '../struct.ts'
import * as iommufd from './iommufd.ts'
import * as vfio from './vfio.ts'

// Printed by a C program that was compiled for x86-64 against the headers of Linux 7.3: sizeof, offsetof and the values
// of the request macros. A field reads name@offset:size.
const REQUESTS = `
VFIO_GET_API_VERSION 0x3b64
VFIO_CHECK_EXTENSION 0x3b65
VFIO_SET_IOMMU 0x3b66
VFIO_IOMMU_GET_INFO 0x3b70
VFIO_IOMMU_MAP_DMA 0x3b71
VFIO_IOMMU_UNMAP_DMA 0x3b72
VFIO_GROUP_GET_STATUS 0x3b67
VFIO_GROUP_SET_CONTAINER 0x3b68
VFIO_GROUP_UNSET_CONTAINER 0x3b69
VFIO_GROUP_GET_DEVICE_FD 0x3b6a
VFIO_DEVICE_GET_INFO 0x3b6b
VFIO_DEVICE_GET_REGION_INFO 0x3b6c
VFIO_DEVICE_GET_IRQ_INFO 0x3b6d
VFIO_DEVICE_SET_IRQS 0x3b6e
VFIO_DEVICE_RESET 0x3b6f
VFIO_DEVICE_BIND_IOMMUFD 0x3b76
VFIO_DEVICE_ATTACH_IOMMUFD_PT 0x3b77
VFIO_DEVICE_DETACH_IOMMUFD_PT 0x3b78
IOMMU_DESTROY 0x3b80
IOMMU_IOAS_ALLOC 0x3b81
IOMMU_IOAS_IOVA_RANGES 0x3b84
IOMMU_IOAS_MAP 0x3b85
IOMMU_IOAS_UNMAP 0x3b86
`
const STRUCTS = `
vfio_group_status size=8: argsz@0:4 flags@4:4
vfio_device_info size=24: argsz@0:4 flags@4:4 num_regions@8:4 num_irqs@12:4 cap_offset@16:4 pad@20:4
vfio_region_info size=32: argsz@0:4 flags@4:4 index@8:4 cap_offset@12:4 size@16:8 offset@24:8
vfio_irq_info size=16: argsz@0:4 flags@4:4 index@8:4 count@12:4
vfio_irq_set size=20: argsz@0:4 flags@4:4 index@8:4 start@12:4 count@16:4 data[]@20
vfio_iommu_type1_info size=24: argsz@0:4 flags@4:4 iova_pgsizes@8:8 cap_offset@16:4 pad@20:4
vfio_iommu_type1_dma_map size=32: argsz@0:4 flags@4:4 vaddr@8:8 iova@16:8 size@24:8
vfio_iommu_type1_dma_unmap size=24: argsz@0:4 flags@4:4 iova@8:8 size@16:8 data[]@24
vfio_device_bind_iommufd size=24: argsz@0:4 flags@4:4 iommufd@8:4 out_devid@12:4 token_uuid_ptr@16:8
vfio_device_attach_iommufd_pt size=16: argsz@0:4 flags@4:4 pt_id@8:4 pasid@12:4
vfio_device_detach_iommufd_pt size=12: argsz@0:4 flags@4:4 pasid@8:4
iommu_destroy size=8: size@0:4 id@4:4
iommu_ioas_alloc size=12: size@0:4 flags@4:4 out_ioas_id@8:4
iommu_ioas_iova_ranges size=32: size@0:4 ioas_id@4:4 num_iovas@8:4 __reserved@12:4 allowed_iovas@16:8 out_iova_alignment@24:8
iommu_ioas_map size=40: size@0:4 flags@4:4 ioas_id@8:4 __reserved@12:4 user_va@16:8 length@24:8 iova@32:8
iommu_ioas_unmap size=24: size@0:4 ioas_id@4:4 iova@8:8 length@16:8
`
/** Structs that grew since Linux 6.12, and the size there, which every later kernel still takes. */
const SIZES_IN_6_12: Record<string, number> = {
  vfio_device_bind_iommufd: 16,
  vfio_device_attach_iommufd_pt: 12,
  vfio_device_detach_iommufd_pt: 8,
}
const WIDTHS = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 }

const has = (value: unknown, key: string) => typeof value === 'object' && value !== null && key in value
const lines = (text: string) => text.trim().split('\n')
const exported: unknown[] = Object.values({ ...vfio, ...iommufd })
const requests = exported.filter((value): value is IoctlRequest<FdKind> => has(value, 'number'))
const structs = exported.filter((value): value is Struct<Record<string, FieldLayout>> => has(value, 'fields'))

describe('the kernel interface', () => {
  test('has the numbers of the headers', () => {
    const numbers = requests.map(({ name, number }) => `${name} 0x${number.toString(16)}`)
    expect(numbers.sort()).toEqual(lines(REQUESTS).sort())
  })

  test('has every struct of this table, and no other', () => {
    expect(structs.map(({ name }) => name).sort()).toEqual(
      lines(STRUCTS)
        .map((line) => line.split(' ')[0])
        .sort(),
    )
  })

  test.each(lines(STRUCTS))('%s', (line) => {
    const [, name = '', size = '', fields = ''] = /^(\w+) size=(\d+): (.*)$/.exec(line) ?? []
    const struct = structs.find((candidate) => candidate.name === name)
    expect(struct?.size).toBe(SIZES_IN_6_12[name] ?? Number(size))
    const layouts = Object.entries(struct?.fields ?? {}).map(
      ([field, [type, offset]]) => `${field}@${offset}:${WIDTHS[type]}`,
    )
    expect(layouts.length).toBeGreaterThan(0)
    expect(fields.split(' ')).toEqual(expect.arrayContaining(layouts))
  })
})
