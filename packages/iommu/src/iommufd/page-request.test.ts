import { iommuHwptPgfault } from '@openbar/linux'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PageRequestGroup, parsePageRequests } from './page-request.ts'

const u32 = fc.nat({ max: 0xffff_ffff })
const request = fc.record({
  address: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  length: u32,
  read: fc.boolean(),
  write: fc.boolean(),
  execute: fc.boolean(),
  privileged: fc.boolean(),
})
const group: fc.Arbitrary<PageRequestGroup> = fc.record({
  // Few, so that neighbours have the same at times.
  cookie: fc.nat({ max: 2 }),
  deviceId: u32,
  groupId: u32,
  pasid: fc.option(u32, { nil: undefined }),
  requests: fc.array(request, { minLength: 1, maxLength: 5 }),
})

/** As the kernel writes groups. */
function encode(groups: readonly PageRequestGroup[]): Uint8Array {
  const faults = groups.flatMap(({ cookie, deviceId, groupId, pasid, requests }) =>
    requests.map(({ address, length, read, write, execute, privileged }, index) => {
      const fault = iommuHwptPgfault.allocate()
      fault.flags = (pasid === undefined ? 0 : 1) | (index === requests.length - 1 ? 2 : 0)
      fault.dev_id = deviceId
      fault.pasid = pasid ?? 0
      fault.grpid = groupId
      fault.perm = (read ? 1 : 0) | (write ? 2 : 0) | (execute ? 4 : 0) | (privileged ? 8 : 0)
      fault.addr = address
      fault.length = length
      fault.cookie = cookie
      return fault.bytes
    }),
  )
  return new Uint8Array(Buffer.concat(faults))
}

describe('parsePageRequests', () => {
  test('finds the groups that the kernel wrote, with all their requests', () => {
    fc.assert(
      fc.property(fc.array(group, { maxLength: 6 }), (groups) => {
        expect(parsePageRequests(encode(groups))).toEqual(groups)
      }),
    )
  })

  test('takes no notice of what is not a whole request', () => {
    expect(parsePageRequests(new Uint8Array(39))).toEqual([])
  })
})
