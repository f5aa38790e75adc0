import { Errno, OpenbarError, openFilesLimit, syscallError } from '@openbar/linux'
import { INTERRUPT_NAME, type InterruptKind } from './interrupt-kind.ts'

/** What was tried, for messages. */
export interface Attempt {
  readonly address: string
  readonly kind: InterruptKind
  /** How many vectors were asked for. */
  readonly wanted: number
  /** Whether they were to come beside others that are on. */
  readonly adding: boolean
}

/** Something that can be known before the kernel is asked stands in the way. */
export function refusal(attempt: Attempt, problem: string): OpenbarError {
  const { address, kind } = attempt
  return new OpenbarError('ERR_INTERRUPT', { message: `${cannot(attempt)}: ${problem}`, context: { address, kind } })
}

/** The process cannot have an eventfd for each vector. */
export function tooFewFiles(attempt: Attempt, cause: OpenbarError): OpenbarError {
  const { address, kind } = attempt
  const limit = openFilesLimit()
  const allowed = limit === undefined ? 'and it may not open as many' : `and it may have ${limit} open (RLIMIT_NOFILE)`
  return new OpenbarError('ERR_INTERRUPT', {
    message: `${cannot(attempt)}: each takes a file descriptor of the process, ${allowed}.`,
    hint: 'Raise the limit (ulimit -n, or LimitNOFILE= of a systemd unit), or ask for fewer vectors.',
    context: { address, kind },
    cause,
    errno: Errno.EMFILE,
    syscall: 'eventfd',
  })
}

/**
 * The kernel does not give the vectors.
 *
 * @param toBeHad - How many it would give, where that was found out.
 */
export function kernelRefusal(attempt: Attempt, errno: number | undefined, toBeHad: number | undefined): OpenbarError {
  const { address, kind } = attempt
  const had = toBeHad === undefined ? '' : `: only ${toBeHad} can be had`
  const outOfVectors = toBeHad !== undefined || errno === Errno.ENOSPC
  return new OpenbarError('ERR_INTERRUPT', {
    message: `${cannot(attempt)}${had}.`,
    hint: outOfVectors
      ? 'The CPUs have no more interrupt vectors to give, some 200 each: ask for fewer, or use a machine with more CPUs.'
      : kind === 'intx'
        ? 'Another device on the same interrupt line may be in the way: try MSI or MSI-X.'
        : undefined,
    context: { address, kind },
    ...(errno === undefined ? {} : { errno, syscall: 'ioctl(VFIO_DEVICE_SET_IRQS)' }),
  })
}

/** The kernel does not mask, unmask, trigger or arm a vector. */
export function controlError(what: string, verb: string, errno: number): OpenbarError {
  return syscallError(`ioctl(VFIO_DEVICE_SET_IRQS, ${verb})`, errno, what)
}

/** Masking is for INTx, parking for the others. */
export function notForThisKind(what: string, participle: string, why: string): OpenbarError {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${what} cannot be ${participle}: ${why}`,
    context: { what: `${what}: ${participle}` },
  })
}

function cannot({ address, kind, wanted, adding }: Attempt): string {
  if (adding) return `${wanted} more ${INTERRUPT_NAME[kind]} vectors cannot be switched on for ${address}`
  return `${INTERRUPT_NAME[kind]} cannot be switched on for ${address} with ${wanted} vectors`
}
