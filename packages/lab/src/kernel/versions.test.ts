import { expect, test } from 'vitest'
import { buildProgress } from './build-progress.ts'
import { realKernelPackage } from './distro-kernel.ts'
import { newestSource } from './iommufd-kernel.ts'

test('the newest source is the one with the highest number, not the last in the alphabet', () => {
  expect(newestSource(['linux-source-6.1', 'linux-source-6.12', 'linux-source-6.9'])?.name).toBe('linux-source-6.12')
  expect(newestSource(['linux-source-6.12', 'linux-source-7.3', 'linux-source'])?.name).toBe('linux-source-7.3')
  expect(newestSource(['linux-source', 'linux-doc-6.12'])).toBeUndefined()
})

test('the real kernel package is found among the dependencies', () => {
  expect(realKernelPackage('linux-image-6.1.0-50-amd64 (= 6.1.176-1)')).toBe('linux-image-6.1.0-50-amd64')
  expect(realKernelPackage('linux-image-6.12.95+deb13-amd64 (= 6.12.95-1)')).toBe('linux-image-6.12.95+deb13-amd64')
  expect(realKernelPackage('kmod')).toBeUndefined()
})

test('progress counts the lines of a build that stand for a file, and never reaches the end by itself', () => {
  const read = buildProgress(2)
  expect(read('make[1]: Entering directory')).toBeUndefined()
  expect(read('  CC      kernel/fork.o')).toEqual({ fraction: 0.5, file: 'kernel/fork.o' })
  expect(read('  CC [M]  drivers/net/tun.o')).toEqual({ fraction: 0.99, file: 'drivers/net/tun.o' })
})
