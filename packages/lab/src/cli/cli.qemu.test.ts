import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'

const cli = new URL('./main.ts', import.meta.url).pathname

function start(args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk
  })
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  return { child, output, ended }
}

/** QEMUs that a process has started, by its lab's directory, which stands in their command lines. */
function machinesOf(child: ChildProcess): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return (
        line.includes(`openbar-lab-${child.pid}-`) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] !== 'Z'
      )
    } catch {
      return false
    }
  })
}

async function run(args: readonly string[], options = {}) {
  const { output, ended } = start(args, options)
  return { ...(await ended), ...output }
}

test('run passes output and exit code on', async () => {
  const result = await run(['run', '--', 'sh', '-c', 'echo out; echo err >&2; exit 42'])
  expect(result).toEqual({ code: 42, signal: null, stdout: 'out\n', stderr: 'err\n' })
})

test('run works in a directory under /tmp', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'cli-'))
  expect((await run(['run', '--', 'pwd'], { cwd })).stdout).toBe(`${cwd}\n`)
  rmSync(cwd, { recursive: true })
})

test('failures of the lab have a code of their own', async () => {
  expect(await run(['run', '--iommu', 'none'])).toMatchObject({ code: 125, stdout: '' })
  const late = await run(['run', '--timeout', '1s', '--', 'sleep', '100'])
  expect(late.code).toBe(125)
  expect(late.stderr).toContain('The guest took longer than 1 s while running sleep 100')
})

test('a kernel that has not been made: what to do about it', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'cache-'))
  const result = await run(['run', '--kernel', 'distro', '--', 'true'], { env: { OPENBAR_CACHE: empty } })
  rmSync(empty, { recursive: true })
  expect(result.code).toBe(125)
  expect(result.stderr).toContain('openbar-lab setup --kernel distro')
})

test.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'])('%s leaves no QEMU behind', async (signal) => {
  const { child, output, ended } = start(['run', '--', 'sh', '-c', 'echo up; sleep 1000'])
  await expect.poll(() => output.stdout, { timeout: 60_000 }).toBe('up\n')
  expect(machinesOf(child)).toHaveLength(1)
  child.kill(signal)
  expect((await ended).signal).toBe(signal)
  for (let tries = 0; tries < 50 && machinesOf(child).length > 0; tries++) await sleep(20)
  expect(machinesOf(child)).toEqual([])
  const directories = readdirSync(tmpdir()).filter((entry) => entry.startsWith(`openbar-lab-${child.pid}-`))
  // Nobody can clean up after SIGKILL at once: a later lab does.
  expect(directories).toHaveLength(signal === 'SIGKILL' ? 1 : 0)
})

test('doctor finds nothing missing where labs run', async () => {
  const { code, stdout } = await run(['doctor'])
  expect(stdout).toMatch(/^ok {2}QEMU/m)
  expect(stdout).toMatch(/^ok {2}kernel iommufd/m)
  expect(code).toBe(0)
})
