import { closeFd, MessageSocket } from '@openbar/linux'
import { describe, expect, test } from 'vitest'
import { confine } from './command-line.ts'
import { type Description, formatDescription, parseDescription } from './description.ts'
import { inheritDevice } from './inherit.ts'
import { assertUser, receiveDevice } from './receive.ts'

const description: Description = {
  address: '0000:00:02.0',
  group: 3,
  addressBits: 64,
  backend: 'type1',
  ioas: undefined,
  deviceId: undefined,
  mappings: [{ iova: '4096', size: 4096, access: 'read' }],
}
const LIMITS = { user: 12_345, memlock: 65_536 }

describe('a description', () => {
  test('is read as it was written, with what goes along', () => {
    const { ioas: _ioas, deviceId: _deviceId, ...rest } = description
    expect(parseDescription(formatDescription(description, { fds: [3, 4, 5] }), 'it')).toEqual({
      version: 1,
      ...rest,
      fds: [3, 4, 5],
    })
  })

  test.each(['', 'null', '7', '{"version":1}', '{"version":1,"address":"x"}'])(
    'is refused when it is none: %s',
    (text) => {
      expect(() => parseDescription(text, 'it')).toThrow(/it must be/)
    },
  )

  test('of another version names both', () => {
    const later = formatDescription(description).replace('"version":1', '"version":2')
    expect(() => parseDescription(later, 'it')).toThrow(/version 2 .* version 1/)
  })
})

describe('what confines a program', () => {
  test('is a limit, hidden files, another user and no capability', () => {
    const line = confine(['node', 'driver.ts'], LIMITS).join(' ')
    expect(line).toMatch(/^prlimit --memlock=65536:65536 -- unshare --mount --propagation private -- sh -c /)
    expect(line).toMatch(/setpriv --reuid=12345 --regid=12345 --clear-groups --no-new-privs --bounding-set=-all/)
    expect(line).toMatch(/-- node driver.ts$/)
    expect(confine(['node'], { ...LIMITS, group: 7, visible: true })).toEqual([
      ...['prlimit', '--memlock=65536:65536', '--', 'setpriv', '--reuid=12345', '--regid=7', '--clear-groups'],
      ...['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--', 'node'],
    ])
    expect(confine(['node'], { ...LIMITS, user: 'nobody' })).toContain('--reuid=65534')
  })

  test.each([
    { user: 0 },
    { user: 'root' },
    { user: -1 },
    { user: 'no-such-user' },
    { memlock: 0.5 },
    { memlock: -1 },
    { group: -1 },
    { group: 'no-such-group' },
  ])('is refused where it is none: %j', (wrong) => {
    expect(() => confine(['node'], { ...LIMITS, ...wrong })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    )
  })

  test('needs a program', () => {
    expect(() => confine([], LIMITS)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }))
  })
})

describe('a device that was left to nobody', () => {
  test('is said so', async () => {
    await expect(inheritDevice({})).rejects.toMatchObject({ code: 'ERR_NO_DEVICE' })
  })

  test('is described without files', async () => {
    const environment = { OPENBAR_DEVICE: formatDescription(description) }
    await expect(inheritDevice(environment)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    expect(environment).toEqual({})
  })
})

describe('a device that is received', () => {
  const user = process.getuid?.() ?? -1
  const SOON = { timeout: 1000, from: user }

  test('comes from the user that it has to come from', () => {
    expect(() => assertUser({ pid: 1, uid: 7, gid: 7 }, 8)).toThrow(/runs as user 7, where user 8 is due/)
    expect(() => assertUser({ pid: 1, uid: 7, gid: 7 }, 7)).not.toThrow()
  })

  test('has all of its files, and a description; what came otherwise is closed', async () => {
    const [near, far] = MessageSocket.pair()
    const [spare, other] = MessageSocket.pair()
    const send = (text: string, count: number) =>
      near.send(new TextEncoder().encode(text), { timeout: 1000, fds: Array.from({ length: count }, () => spare.fd) })
    await send('x', 2)
    await expect(receiveDevice(far, SOON)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await send('x', 3)
    await expect(receiveDevice(far, SOON)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await send(formatDescription(description), 3)
    await expect(receiveDevice(far, SOON)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    await expect(receiveDevice(far, { ...SOON, from: user + 1 })).rejects.toMatchObject({ code: 'ERR_PERMISSION' })
    // The last of its copies: the other end hears when all that came was closed.
    spare.close()
    expect(await other.receive(SOON)).toBeUndefined()
    near.close()
    await expect(receiveDevice(far, SOON)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    far.close()
    other.close()
    expect(() => closeFd(other.fd)).toThrow()
  })
})
