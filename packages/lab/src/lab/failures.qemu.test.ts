import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { Lab } from './lab.ts'

const leftovers = () => readdirSync(tmpdir()).filter((entry) => entry.startsWith(`openbar-lab-${process.pid}-`))

test('a panic gives an error with the end of the console', async () => {
  const lab = await Lab.boot()
  const error: unknown = await lab.run(['sh', '-c', 'echo c >/proc/sysrq-trigger']).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ERR_LAB_PANIC', message: expect.stringContaining('sysrq triggered crash') })
  expect(error).toHaveProperty('console', expect.stringContaining('Kernel panic - not syncing'))
  await expect(lab.run(['true'])).rejects.toMatchObject({ code: 'ERR_LAB_CLOSED' })
  await lab.close()
  expect(leftovers()).toEqual([])
})

test('a machine that died while nothing ran says how, at the next command', async () => {
  const lab = await Lab.boot()
  await lab.run(['sh', '-c', '(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &'])
  await new Promise((done) => setTimeout(done, 4_000))
  await expect(lab.run(['true'])).rejects.toMatchObject({ code: 'ERR_LAB_PANIC' })
  await lab.close()
})

test('a command that hangs gives an error that names it, and the machine is gone', async () => {
  const lab = await Lab.boot()
  const running = lab.run(['sh', '-c', 'echo hung >/dev/console; sleep 1000'], { timeoutMs: 1_500 })
  const error: unknown = await running.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ERR_LAB_TIMEOUT', message: expect.stringContaining('sleep 1000') })
  expect(error).toHaveProperty('console', expect.stringContaining('hung'))
  expect(leftovers()).toEqual([])
})

test('a boot that takes too long is an error too', async () => {
  await expect(Lab.boot({ bootTimeoutMs: 200 })).rejects.toMatchObject({ code: 'ERR_LAB_TIMEOUT' })
  expect(leftovers()).toEqual([])
})

test('what QEMU says when it refuses to start is in the error', async () => {
  await expect(Lab.boot({ qemuArgs: ['-no-such-option'] })).rejects.toMatchObject({
    code: 'ERR_LAB_DIED',
    message: expect.stringContaining('no-such-option'),
  })
})

test('models and modules that are not there are named', async () => {
  await expect(Lab.boot({ nics: ['e1000x'] })).rejects.toThrow(/has no PCI device e1000x/)
  await expect(Lab.boot({ modules: ['no_such_module'] })).rejects.toThrow(/no_such_module/)
})

test('a signal ends a command and the machine', async () => {
  const lab = await Lab.boot()
  const running = lab.run(['sleep', '1000'], { signal: AbortSignal.timeout(500) })
  await expect(running).rejects.toMatchObject({ code: 'ERR_LAB_ABORTED' })
})

test('closing while a command runs ends it at once', async () => {
  const lab = await Lab.boot()
  const running = lab.run(['sleep', '1000'])
  const refused = expect(running).rejects.toMatchObject({ code: 'ERR_LAB_CLOSED' })
  await new Promise((done) => setTimeout(done, 300))
  await lab.close()
  await refused
})

test('two labs run at once', async () => {
  await using first = await Lab.boot({ iommu: 'amd' })
  await using second = await Lab.boot({ iommu: 'none' })
  const [a, b] = await Promise.all([first, second].map((lab) => lab.run(['ls', '/sys/kernel/iommu_groups'])))
  expect(a!.stdout.toString()).not.toBe('')
  expect(b!.stdout.toString()).toBe('')
})
