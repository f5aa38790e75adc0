import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from '@openbar/linux'
import { DeviceLauncher } from '@openbar/vfio'
import { afterAll, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'
import { pinnedPages } from '../support/pinned-pages.ts'
import { processState } from '../support/process-state.ts'
import { Conversation, PROGRAM } from './driver.ts'

type Backend = 'iommufd' | 'type1' | 'iommufd-compat'

const NOBODY = 65_534
const SOON = { timeout: 20_000 }
const folder = mkdtempSync(join(tmpdir(), 'openbar-'))
chownSync(folder, NOBODY, NOBODY)
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let sockets = 0

/** A program without privileges that runs already, and waits at a socket for a device. */
async function startReceiver(): Promise<{ program: ChildProcess; path: string } & AsyncDisposable> {
  sockets += 1
  const path = join(folder, `device-${sockets}.sock`)
  const program = spawn(process.execPath, [PROGRAM, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
    uid: NOBODY,
    gid: NOBODY,
  })
  const exited = once(program, 'exit')
  await waitUntil(() => existsSync(path), { timeout: 20_000, waitedFor: 'the receiver to listen' })
  const end = async () => {
    program.kill('SIGKILL')
    await exited
  }
  return { program, path, [Symbol.asyncDispose]: end }
}

describe.each(translating(backends) as readonly Backend[])('a device that is given over a socket, on %s', (backend) => {
  const open = () => DeviceLauncher.open(nicAddress('e1000e'), { bind: true, backend })

  it('is driven by a program that runs already, until that closes it', async () => {
    const before = processState()
    {
      await using launcher = await open()
      await using receiver = await startReceiver()
      const tenant = await launcher.give(receiver.path, { ...SOON, user: NOBODY })
      expect(tenant.pid).toBe(receiver.program.pid)
      const program = new Conversation(receiver.program)
      expect(await program.next()).toEqual({ ready: tenant.pid })
      expect(await program.ask('report')).toMatchObject({ uid: NOBODY, inherits: 0 })
      expect(await program.ask('frames 3')).toEqual({ whole: 3 })
      await errorOf('ERR_DEVICE_BUSY', () => launcher.device())
      expect(await program.ask('close')).toEqual({ closed: true })
      await tenant.released
      expect((await launcher.device()).config.vendorId).toBe(0x8086)
    }
    expect(processState()).toEqual(before)
  })

  it('is back when the program is killed under traffic, and given to the next', async () => {
    await using launcher = await open()
    const before = pinnedPages()
    {
      await using receiver = await startReceiver()
      const tenant = await launcher.give(receiver.path, SOON)
      const program = new Conversation(receiver.program)
      await program.next()
      expect(await program.ask('traffic 65536')).toMatchObject({ busMaster: true })
      receiver.program.kill('SIGKILL')
      await tenant.released
      expect(pinnedPages()).toBe(before)
    }
    await using next = await startReceiver()
    await launcher.give(next.path, SOON)
    const program = new Conversation(next.program)
    await program.next()
    expect(await program.ask('state')).toMatchObject({ busMaster: false, interrupts: null, mappings: 0 })
  })

  it('is closed in the program when the launcher takes it back', async () => {
    await using receiver = await startReceiver()
    const launcher = await open()
    const tenant = await launcher.give(receiver.path, SOON)
    const program = new Conversation(receiver.program)
    await program.next()
    await launcher.close()
    await tenant.released
    const answer = await program.ask('wait-closed')
    expect(answer['code']).toBe('ERR_CLOSED')
    expect(answer['message']).toContain('the launcher took it back')
  })

  it('is not given to another user, nor to a program that does not take it', async () => {
    await using launcher = await open()
    await using receiver = await startReceiver()
    await errorOf('ERR_PERMISSION', () => launcher.give(receiver.path, { ...SOON, user: 1 }))
    await errorOf('ERR_SYSCALL', () => launcher.give(join(folder, 'nobody.sock'), SOON))
    // The program gave up when the first connection ended without a device.
    expect(await new Conversation(receiver.program).next()).toEqual({ refused: 'ERR_CLOSED' })
    expect((await launcher.device()).config.vendorId).toBe(0x8086)
  })
})
