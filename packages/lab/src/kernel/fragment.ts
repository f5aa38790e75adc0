import { packageFile } from '../util/package-file.ts'

/** The configuration that the lab's own kernel is built with, on top of the smallest possible one. */
export function kernelFragment(): string {
  return packageFile('kernel/iommufd.config')
}

/** The settings of a fragment, without comments and blank lines: `CONFIG_PCI=y`. */
export function fragmentLines(fragment: string): readonly string[] {
  return fragment
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

/**
 * The lines of a fragment that a finished .config does not have: the kernel's rules silently drop a setting whose
 * dependencies are missing or whose name has changed.
 *
 * @example
 * ```ts
 * missingSettings('CONFIG_PCI=y\nCONFIG_USB=n\n', '# CONFIG_PCI is not set\n') // ['CONFIG_PCI=y']
 * ```
 */
export function missingSettings(fragment: string, config: string): readonly string[] {
  const present = new Set(config.split('\n'))
  return fragmentLines(fragment).filter((line) => {
    if (!line.endsWith('=n')) return !present.has(line)
    const name = line.slice(0, -2)
    return present.has(`${name}=y`) || present.has(`${name}=m`)
  })
}
