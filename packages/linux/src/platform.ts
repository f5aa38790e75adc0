import { OpenbarError } from './errors/openbar-error.ts'

/**
 * Refuses to go on anywhere but on Linux on x86-64: the struct layouts and ioctl numbers hold only there.
 *
 * @throws {@link OpenbarError} `ERR_UNSUPPORTED_PLATFORM`.
 */
export function assertSupportedPlatform(): void {
  const { platform, arch } = process
  if (platform === 'linux' && arch === 'x64') return
  throw new OpenbarError('ERR_UNSUPPORTED_PLATFORM', {
    message: `@openbar/linux needs Linux on x86-64, and this is ${platform} on ${arch}.`,
    hint: "VFIO and IOMMU domains exist only in the Linux kernel: run this program there. @openbar/pci's decoding of config space works anywhere.",
    context: { platform, arch },
  })
}
