const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')

/** The PCI address of a segment and a requester id: bus in the upper 8 bits, device in 5, function in 3. */
export function requesterAddress(segment: number, id: number): string {
  return `${hex(segment, 4)}:${hex(id >>> 8, 2)}:${hex((id >>> 3) & 0x1f, 2)}.${id & 7}`
}
