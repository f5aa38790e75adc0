import { existsSync } from 'node:fs'
import { archiveKeyring } from '../apt/keyring.ts'
import { staticBusybox } from '../initramfs/static-busybox.ts'
import type { KernelKind } from '../kernel/kernel.ts'
import { findProgram } from '../util/find-program.ts'

/** A Debian package that the lab needs on the host. */
export interface Requirement {
  readonly package: string
  /** What for, in a few words. */
  readonly why: string
  /** Needed only to make this kernel; absent when it is needed for everything. */
  readonly kernel?: KernelKind
  /** Whether the machine has it, in whatever way it came there. */
  present(): boolean
}

function program(name: string, debianPackage: string, why: string, kernel?: KernelKind): Requirement {
  const present = () => findProgram(name) !== undefined
  return { package: debianPackage, why, ...(kernel === undefined ? {} : { kernel }), present }
}

function header(path: string, debianPackage: string, why: string): Requirement {
  const roots = ['/usr/include', '/usr/include/x86_64-linux-gnu']
  const present = () => roots.some((root) => existsSync(`${root}/${path}`))
  return { package: debianPackage, why, kernel: 'iommufd', present }
}

/** All that the lab needs beside what every Debian system has. */
export const requirements: readonly Requirement[] = [
  program('qemu-system-x86_64', 'qemu-system-x86', 'the machine itself'),
  {
    package: 'busybox-static',
    why: "the guest's first programs",
    present: () => staticBusybox() !== undefined,
  },
  program('depmod', 'kmod', 'the list of modules'),
  {
    package: 'debian-archive-keyring',
    why: 'to verify what is downloaded',
    present: () => archiveKeyring() !== undefined,
  },
  program('gcc', 'gcc', 'to build the kernel', 'iommufd'),
  header('stdio.h', 'libc6-dev', 'to build the kernel'),
  program('make', 'make', 'to build the kernel', 'iommufd'),
  program('flex', 'flex', 'to build the kernel', 'iommufd'),
  program('bison', 'bison', 'to build the kernel', 'iommufd'),
  program('bc', 'bc', 'to build the kernel', 'iommufd'),
  program('xz', 'xz-utils', 'to unpack kernels'),
  program('cpio', 'cpio', 'to build the kernel', 'iommufd'),
  header('libelf.h', 'libelf-dev', 'to build the kernel'),
  header('openssl/opensslv.h', 'libssl-dev', 'to build the kernel'),
]

/** What is missing for these kernels. Tools to build a kernel are not missed once it is built. */
export function missingRequirements(toMake: readonly KernelKind[], all = requirements): readonly Requirement[] {
  return all.filter((each) => (each.kernel === undefined || toMake.includes(each.kernel)) && !each.present())
}
