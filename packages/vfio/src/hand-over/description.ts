import type { AdoptOptions, DmaAccess } from '@openbar/iommu'
import { invalidArgument, OpenbarError } from '@openbar/linux'

/** What the program that drives a device is told beside the open files. */
export interface Description {
  readonly address: string
  readonly group: number
  readonly addressBits: number
  readonly backend: AdoptOptions['backend']
  /** The kernel's number of the address space; on iommufd. */
  readonly ioas: number | undefined
  /** The kernel's number of the device; on iommufd. */
  readonly deviceId: number | undefined
  readonly mappings: readonly { readonly iova: string; readonly size: number; readonly access: DmaAccess }[]
}

/** Rises when what a description says is no longer understood by programs with an older package. */
const VERSION = 1

/** A description as text, with what else goes along. */
export function formatDescription(description: Description, more: object = {}): string {
  return JSON.stringify({ version: VERSION, ...description, ...more })
}

/**
 * Reads a description.
 *
 * @param source - What it stands in, as it should read in an error.
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for what is none; `ERR_NOT_SUPPORTED` for one of another version.
 */
export function parseDescription(text: string, source: string): Description & { readonly [more: string]: unknown } {
  const parsed = parseObject(text)
  if (parsed === undefined) throw invalidArgument(source, text, 'the description of a device that is handed over')
  if (parsed['version'] !== VERSION) {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `The device was handed over in version ${parsed['version']} of the description, and this program understands version ${VERSION}.`,
      hint: 'Use the same version of @openbar/vfio in both programs.',
      context: { what: 'another version of the hand-over' },
    })
  }
  const { address, group, addressBits, backend, mappings } = parsed
  const complete =
    typeof address === 'string' &&
    typeof group === 'number' &&
    typeof addressBits === 'number' &&
    typeof backend === 'string' &&
    Array.isArray(mappings)
  if (!complete) throw invalidArgument(source, text, 'a whole description of a device that is handed over')
  return parsed as unknown as Description & { readonly [more: string]: unknown }
}

function parseObject(text: string): { readonly [key: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as { readonly [key: string]: unknown }) : undefined
  } catch {
    return undefined
  }
}
