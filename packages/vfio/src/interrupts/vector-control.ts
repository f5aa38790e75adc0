import { Errno, type Fd } from '@openbar/linux'
import { controlError, notForThisKind } from './interrupt-errors.ts'
import { INTERRUPT_INDEX, INTERRUPT_NAME, type InterruptKind } from './interrupt-kind.ts'
import type { InterruptOwner } from './interrupts-core.ts'
import { armVectors, maskVector, NO_EVENT, triggerVector, unmaskVector } from './set-irqs.ts'
import type { VectorControl } from './vector-core.ts'

/** What one vector can ask of its device. */
export function vectorControl(owner: InterruptOwner, kind: InterruptKind, number: number): VectorControl {
  const what = `${owner.address}, ${INTERRUPT_NAME[kind]} vector ${number}`
  const index = INTERRUPT_INDEX[kind]
  const intx = kind === 'intx'
  const run = (verb: string, act: typeof maskVector) => {
    const result = act(owner.fd, index, number)
    if (result === 0) return
    const errno = Math.abs(result)
    if (!intx && (errno === Errno.ENOTTY || errno === Errno.EINVAL)) {
      throw notForThisKind(what, `${verb}ed`, 'the kernel does that for INTx only.')
    }
    throw controlError(what, verb, errno)
  }
  return {
    what,
    intx,
    mask: () => run('mask', maskVector),
    unmask: () => run('unmask', unmaskVector),
    trigger: () => run('trigger', triggerVector),
    arm: (event: Fd<'eventfd'> | undefined) => {
      if (intx) throw notForThisKind(what, 'parked', 'INTx can be masked, without a loss: vector.mask().')
      const result = armVectors(owner.fd, index, number, [event ?? NO_EVENT])
      if (result !== 0) throw controlError(what, event === undefined ? 'park' : 'unpark', Math.abs(result))
    },
    silentBecause: () => (intx ? undefined : owner.silentBecause()),
  }
}
