import { type BackendName, Domain } from '@openbar/iommu'
import { isOpenbarError, lockedMemory, MappedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'

/** What a refused mapping says, and what is pinned afterwards; everything in bytes. */
export interface Refusal {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly need: number
  readonly limit: number
  readonly locked: number
  readonly pinnedAfter: number
  readonly mappingsAfter: number
}

/** What {@link Refusal}s this program met on its way, and how much was pinned where none was due. */
export interface MemlockReport {
  readonly tooMuchAtOnce: Refusal
  readonly halfPinned: number
  readonly oneTooMany: Refusal
  readonly allPinned: number
  readonly pinnedAfterUnmap: number
  readonly againAllPinned: number
  readonly beforeTheDevice: Refusal
  readonly openedAfterRefusal: boolean
}

const PAGE = 4096
const IOVA = 0x1000_0000

// Runs as a process of its own, with a small RLIMIT_MEMLOCK: memlock-program.ts BACKEND ADDRESS LIMIT
const [backend, address = '', limitText] = process.argv.slice(2)
const limit = Number(limitText)
const memory = MappedMemory.anonymous(2 * limit)
const part = (size: number) => ({ address: memory.address, size })
const pinned = () =>
  Number(lockedMemory().locked > lockedMemory().pinned ? lockedMemory().locked : lockedMemory().pinned)

async function refusal(domain: Domain, call: () => unknown): Promise<Refusal> {
  try {
    await call()
  } catch (error) {
    if (!isOpenbarError(error, 'ERR_MEMLOCK')) throw error
    const { need, limit: allowed, locked } = error.context
    return {
      ...{ code: error.code, message: error.message, hint: error.hint },
      ...{ need: Number(need), limit: Number(allowed), locked: Number(locked) },
      ...{ pinnedAfter: pinned(), mappingsAfter: domain.snapshot().mappings.length },
    }
  }
  throw new Error('Nothing was thrown, where ERR_MEMLOCK was due.')
}

async function report(): Promise<MemlockReport> {
  const half = limit / 2
  await using domain = await Domain.open({ backend: backend as BackendName })
  const device = await Device.open(address, { domain, bind: true })
  const tooMuchAtOnce = await refusal(domain, () => domain.map(part(limit + PAGE), { iova: IOVA }))
  domain.map(part(half), { iova: IOVA })
  const halfPinned = pinned()
  const oneTooMany = await refusal(domain, () => domain.map(part(half + PAGE), { iova: IOVA + limit }))
  domain.map(part(half), { iova: IOVA + limit })
  const allPinned = pinned()
  domain.unmap({ iova: IOVA, size: 2 * limit })
  const pinnedAfterUnmap = pinned()
  const whole = domain.map(part(limit), { iova: IOVA })
  const againAllPinned = pinned()
  domain.unmap(whole)
  await device.close()

  domain.map(part(2 * limit), { iova: IOVA })
  const beforeTheDevice = await refusal(domain, () => Device.open(address, { domain, bind: true }))
  domain.unmap({ iova: IOVA, size: 2 * limit })
  await using opened = await Device.open(address, { domain, bind: true })
  return {
    ...{ tooMuchAtOnce, halfPinned, oneTooMany, allPinned, pinnedAfterUnmap, againAllPinned, beforeTheDevice },
    openedAfterRefusal: domain.snapshot().devices.includes(opened.address),
  }
}

console.log(JSON.stringify(await report()))
