import { type Fd, invalidArgument, VFIO_DEVICE_FEATURE_PCI_VF_TOKEN } from '@openbar/linux'
import { useFeature } from './device-feature.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A UUID's 16 bytes, in the order of its text, as the kernel has them. */
export function parseUuid(uuid: string): Uint8Array {
  if (typeof uuid !== 'string' || !UUID.test(uuid)) {
    throw invalidArgument('uuid', uuid, "a UUID such as '2ab74924-c335-45f4-9b16-8569e5b08258'")
  }
  return Uint8Array.from(uuid.replaceAll('-', '').match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

/** Sets the secret by which whoever opens a virtual function of the device shows that it knows the device's user. */
export function setVfToken(fd: Fd<'device'>, address: string, uuid: string): void {
  const data = parseUuid(uuid)
  const request = { feature: VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, access: 'set', what: 'VF token' } as const
  useFeature(fd, address, request, data)
}
