/** The driver that a `driver_override` attribute names; the kernel prints a null pointer for none. */
export function parseDriverOverride(text: string | undefined): string | undefined {
  const name = text?.trim()
  return name === undefined || name === '' || name === '(null)' ? undefined : name
}
