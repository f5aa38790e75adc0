import type { BindingContext } from './binding-context.ts'
import { type BindingStep, bindingError, explainErrno } from './binding-error.ts'
import { withinTimeout } from './within-timeout.ts'

/** One step of binding: what it is called, the driver that it is about, the attribute that it reads or writes. */
export interface AttributeStep {
  readonly step: BindingStep
  readonly driver: string | undefined
  readonly path: string
}

/**
 * Writes an attribute as one step.
 *
 * @throws `ERR_DRIVER_BINDING` naming the step; `ERR_TIMEOUT` when the kernel does not answer.
 */
export function writeAttribute(context: BindingContext, step: AttributeStep, text: string): Promise<void> {
  return attempt(context, step, () => context.io.write(step.path, text))
}

/** Reads an attribute as one step; fails as {@link writeAttribute} does. */
export function readAttribute(context: BindingContext, step: AttributeStep): Promise<string> {
  return attempt(context, step, () => context.io.read(step.path))
}

async function attempt<Result>(
  context: BindingContext,
  step: AttributeStep,
  work: () => Promise<Result>,
): Promise<Result> {
  const guarded = work().catch((cause: unknown) => {
    throw bindingError(context, { ...step, ...explainErrno(cause, step.step), cause })
  })
  const about = step.driver === undefined ? '' : ` (${step.driver})`
  const waitedFor = `step '${step.step}'${about} of changing the driver of ${context.address}`
  return await withinTimeout(guarded, context.timeout, waitedFor, hangHint(step))
}

function hangHint({ step, driver }: AttributeStep): string {
  if (step === 'unbind' && driver?.startsWith('vfio')) {
    return 'A VFIO driver lets go only when no program holds the device: close the one that does.'
  }
  return 'The kernel is still at it, and nothing more can be done to the device until it ends: see dmesg.'
}
