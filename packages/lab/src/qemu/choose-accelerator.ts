import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kernel } from '../kernel/kernel.ts'
import { LabError } from '../lab-error.ts'
import { cacheRoot } from '../util/cache.ts'
import { inputsHash } from '../util/hash.ts'
import type { Progress } from '../util/progress.ts'
import { machineArgs } from './machine-args.ts'
import { QemuProcess } from './qemu-process.ts'
import type { QemuProgram } from './qemu-program.ts'

const probeLimitMs = 15_000

/** How a machine will run. Software emulation works everywhere; KVM is used only where it was seen to work. */
export async function chooseAccelerator(
  wanted: 'auto' | 'tcg' | 'kvm',
  qemu: QemuProgram,
  kernel: Kernel,
  initramfs: string,
  progress: Progress,
): Promise<'tcg' | 'kvm'> {
  if (wanted === 'tcg') return 'tcg'
  const problem = await kvmProblem(qemu, kernel, initramfs, progress)
  if (problem === undefined) return 'kvm'
  if (wanted === 'auto') return 'tcg'
  throw new LabError('ERR_LAB_UNSUPPORTED', `KVM cannot be used here: ${problem}`, {
    hint: 'Leave the accelerator to `auto`, or use `tcg`.',
  })
}

/**
 * Why KVM cannot be used on this machine, or undefined when a guest booted with it. That /dev/kvm opens proves nothing:
 * inside some virtual machines the guest then dies. The result is kept until the host boots again or anything changes.
 */
export async function kvmProblem(
  qemu: QemuProgram,
  kernel: Kernel,
  initramfs: string,
  progress: Progress,
): Promise<string | undefined> {
  if (!existsSync('/dev/kvm')) return 'there is no /dev/kvm'
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
  } catch {
    return '/dev/kvm may not be opened by this user'
  }
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const id = inputsHash({ qemu: `${qemu.path} ${qemu.version}`, kernel: kernel.id, initramfs, boot, format: 1 })
  const path = join(cacheRoot(), 'kvm', `${id}.json`)
  if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as { problem?: string }).problem
  progress.step('Trying whether KVM works on this machine', 'a few seconds, once')
  const problem = await probe(qemu, kernel, initramfs)
  progress.done(problem === undefined ? 'it does' : `no: ${problem}; using software emulation`)
  await mkdir(join(cacheRoot(), 'kvm'), { recursive: true })
  await writeFile(path, `${JSON.stringify({ problem })}\n`)
  return problem
}

async function probe(qemu: QemuProgram, kernel: Kernel, initramfs: string): Promise<string | undefined> {
  const machine = new QemuProcess(
    qemu,
    machineArgs({
      accel: 'kvm',
      kernel: kernel.kind,
      iommu: 'intel',
      icount: false,
      cores: 2,
      memoryMiB: 512,
      image: kernel.image,
      initramfs,
      append: ['openbar.probe'],
      deviceArgs: [],
      qemuArgs: [],
    }),
  )
  let late = false
  const timer = setTimeout(() => {
    late = true
    machine.kill()
  }, probeLimitMs)
  await machine.ended
  clearTimeout(timer)
  if (machine.console.tail().includes('openbar-lab: probe passed')) return undefined
  return late ? `a guest did not boot with it in ${probeLimitMs / 1000} s` : 'a guest died with it while booting'
}
