import { describe, expect, test } from 'vitest'
import type { FdKind } from '../fd.ts'
import type { IoctlRequest } from '../ioctl.ts'
import type { FieldLayout, Struct } from '../struct.ts'
import * as iommufd from './iommufd.ts'
import * as faults from './iommufd-faults.ts'
import * as newer from './iommufd-newer.ts'
import * as pageTables from './iommufd-page-tables.ts'
import * as vfio from './vfio.ts'
import { vfioDeviceBindIommufdToken } from './vfio-bind-token.ts'
import * as dirtyPages from './vfio-dirty-pages.ts'
import * as features from './vfio-features.ts'
import * as migration from './vfio-migration.ts'
import * as reset from './vfio-reset.ts'

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
VFIO_DEVICE_GET_PCI_HOT_RESET_INFO 0x3b70
VFIO_DEVICE_PCI_HOT_RESET 0x3b71
VFIO_DEVICE_IOEVENTFD 0x3b74
VFIO_DEVICE_FEATURE 0x3b75
VFIO_MIG_GET_PRECOPY_INFO 0x3b79
VFIO_DEVICE_BIND_IOMMUFD 0x3b76
VFIO_DEVICE_ATTACH_IOMMUFD_PT 0x3b77
VFIO_DEVICE_DETACH_IOMMUFD_PT 0x3b78
IOMMU_DESTROY 0x3b80
IOMMU_IOAS_ALLOC 0x3b81
IOMMU_IOAS_IOVA_RANGES 0x3b84
IOMMU_IOAS_MAP 0x3b85
IOMMU_IOAS_UNMAP 0x3b86
VFIO_IOMMU_DIRTY_PAGES 0x3b75
IOMMU_IOAS_ALLOW_IOVAS 0x3b82
IOMMU_IOAS_COPY 0x3b83
IOMMU_OPTION 0x3b87
IOMMU_VFIO_IOAS 0x3b88
IOMMU_HWPT_ALLOC 0x3b89
IOMMU_GET_HW_INFO 0x3b8a
IOMMU_HWPT_SET_DIRTY_TRACKING 0x3b8b
IOMMU_HWPT_GET_DIRTY_BITMAP 0x3b8c
IOMMU_HWPT_INVALIDATE 0x3b8d
IOMMU_FAULT_QUEUE_ALLOC 0x3b8e
IOMMU_IOAS_MAP_FILE 0x3b8f
IOMMU_VIOMMU_ALLOC 0x3b90
IOMMU_VDEVICE_ALLOC 0x3b91
IOMMU_IOAS_CHANGE_PROCESS 0x3b92
IOMMU_VEVENTQ_ALLOC 0x3b93
IOMMU_HW_QUEUE_ALLOC 0x3b94
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
vfio_iommu_type1_dirty_bitmap size=8: argsz@0:4 flags@4:4 data[]@8
vfio_iommu_type1_dirty_bitmap_get size=40: iova@0:8 size@8:8 bitmap@16:24
vfio_bitmap size=24: pgsize@0:8 size@8:8 data@16:8
vfio_pci_dependent_device size=8: group_id@0:4 devid@0:4 segment@4:2 bus@6:1 devfn@7:1
vfio_pci_hot_reset_info size=12: argsz@0:4 flags@4:4 count@8:4 devices[]@12
vfio_pci_hot_reset size=12: argsz@0:4 flags@4:4 count@8:4 group_fds[]@12
vfio_device_ioeventfd size=32: argsz@0:4 flags@4:4 offset@8:8 data@16:8 fd@24:4 reserved@28:4
vfio_device_feature size=8: argsz@0:4 flags@4:4 data[]@8
vfio_device_feature_migration size=8: flags@0:8
vfio_device_feature_mig_state size=8: device_state@0:4 data_fd@4:4
vfio_precopy_info size=24: argsz@0:4 flags@4:4 initial_bytes@8:8 dirty_bytes@16:8
vfio_device_low_power_entry_with_wakeup size=8: wakeup_eventfd@0:4 reserved@4:4
vfio_device_feature_dma_logging_control size=24: page_size@0:8 num_ranges@8:4 __reserved@12:4 ranges@16:8
vfio_device_feature_dma_logging_range size=16: iova@0:8 length@8:8
vfio_device_feature_dma_logging_report size=32: iova@0:8 length@8:8 page_size@16:8 bitmap@24:8
vfio_device_feature_mig_data_size size=8: stop_copy_length@0:8
vfio_region_dma_range size=16: offset@0:8 length@8:8
vfio_device_feature_dma_buf size=16: region_index@0:4 open_flags@4:4 flags@8:4 nr_ranges@12:4 dma_ranges[]@16
iommu_ioas_allow_iovas size=24: size@0:4 ioas_id@4:4 num_iovas@8:4 __reserved@12:4 allowed_iovas@16:8
iommu_ioas_copy size=40: size@0:4 flags@4:4 dst_ioas_id@8:4 src_ioas_id@12:4 length@16:8 dst_iova@24:8 src_iova@32:8
iommu_option size=24: size@0:4 option_id@4:4 op@8:2 __reserved@10:2 object_id@12:4 val64@16:8
iommu_vfio_ioas size=12: size@0:4 ioas_id@4:4 op@8:2 __reserved@10:2
iommu_hwpt_alloc size=48: size@0:4 flags@4:4 dev_id@8:4 pt_id@12:4 out_hwpt_id@16:4 __reserved@20:4 data_type@24:4 data_len@28:4 data_uptr@32:8 fault_id@40:4 __reserved2@44:4
iommu_hwpt_vtd_s1 size=24: flags@0:8 pgtbl_addr@8:8 addr_width@16:4 __reserved@20:4
iommu_hw_info size=40: size@0:4 flags@4:4 dev_id@8:4 data_len@12:4 data_uptr@16:8 in_data_type@24:4 out_data_type@24:4 out_max_pasid_log2@28:1 __reserved[3]@29:3 out_capabilities@32:8
iommu_hw_info_vtd size=24: flags@0:4 __reserved@4:4 cap_reg@8:8 ecap_reg@16:8
iommu_hwpt_set_dirty_tracking size=16: size@0:4 flags@4:4 hwpt_id@8:4 __reserved@12:4
iommu_hwpt_get_dirty_bitmap size=48: size@0:4 hwpt_id@4:4 flags@8:4 __reserved@12:4 iova@16:8 length@24:8 page_size@32:8 data@40:8
iommu_hwpt_invalidate size=32: size@0:4 hwpt_id@4:4 data_uptr@8:8 data_type@16:4 entry_len@20:4 entry_num@24:4 __reserved@28:4
iommu_hwpt_vtd_s1_invalidate size=24: addr@0:8 npages@8:8 flags@16:4 __reserved@20:4
iommu_fault_alloc size=16: size@0:4 flags@4:4 out_fault_id@8:4 out_fault_fd@12:4
iommu_hwpt_pgfault size=40: flags@0:4 dev_id@4:4 pasid@8:4 grpid@12:4 perm@16:4 __reserved@20:4 addr@24:8 length@32:4 cookie@36:4
iommu_hwpt_page_response size=8: cookie@0:4 code@4:4
iommu_ioas_map_file size=40: size@0:4 flags@4:4 ioas_id@8:4 fd@12:4 start@16:8 length@24:8 iova@32:8
iommu_viommu_alloc size=40: size@0:4 flags@4:4 type@8:4 dev_id@12:4 hwpt_id@16:4 out_viommu_id@20:4 data_len@24:4 __reserved@28:4 data_uptr@32:8
iommu_vdevice_alloc size=24: size@0:4 viommu_id@4:4 dev_id@8:4 out_vdevice_id@12:4 virt_id@16:8
iommu_ioas_change_process size=8: size@0:4 __reserved@4:4
iommu_veventq_alloc size=32: size@0:4 flags@4:4 viommu_id@8:4 type@12:4 veventq_depth@16:4 out_veventq_id@20:4 out_veventq_fd@24:4 __reserved@28:4
iommu_hw_queue_alloc size=40: size@0:4 flags@4:4 viommu_id@8:4 type@12:4 index@16:4 out_hw_queue_id@20:4 nesting_parent_iova@24:8 length@32:8
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
const exported: unknown[] = [
  ...[vfio, dirtyPages, features, migration, reset],
  ...[iommufd, pageTables, faults, newer],
].flatMap((module) => Object.values(module))
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

  test('has what the struct to bind with grew by', () => {
    const line = lines(STRUCTS).find((candidate) => candidate.startsWith(vfioDeviceBindIommufdToken.name))
    const { size, fields } = vfioDeviceBindIommufdToken
    const layouts = Object.entries(fields).map(([field, [type, offset]]) => `${field}@${offset}:${WIDTHS[type]}`)
    expect(line).toBe(`vfio_device_bind_iommufd size=${size}: ${layouts.join(' ')}`)
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
