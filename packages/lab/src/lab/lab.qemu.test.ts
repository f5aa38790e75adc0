import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab } from './lab.ts'

let lab: Lab
let scratch: string

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'lab test '))
  writeFileSync(join(scratch, 'file'), 'from the host')
  lab = await Lab.boot({
    nics: ['e1000', { model: 'e1000e', bus: 'port' }],
    devices: [{ model: 'edu', bus: 'bridge' }],
  })
})

afterAll(async () => {
  await lab.close()
  rmSync(scratch, { recursive: true })
})

const sh = (script: string, options = {}) => lab.run(['sh', '-c', script], options)
const text = async (script: string) => (await sh(script)).stdout.toString().trim()

describe('commands', () => {
  test('stdout, stderr and the exit code come apart', async () => {
    const result = await sh('echo out; echo err >&2; exit 7')
    expect(result).toEqual({ exitCode: 7, stdout: Buffer.from('out\n'), stderr: Buffer.from('err\n') })
  })

  test('a signal gives the exit code that a shell gives', async () => {
    expect((await sh('kill -SEGV $$')).exitCode).toBe(139)
  })

  test('a command that is not there, and a directory that is not there', async () => {
    expect((await lab.run(['no-such-command'])).exitCode).toBe(127)
    expect((await lab.run(['true'], { cwd: '/no/such/directory' })).exitCode).toBe(126)
  })

  test('a million bytes of any value arrive as they were sent', async () => {
    const script = 'process.stdout.write(Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 167) & 255)))'
    const { stdout } = await lab.run([process.execPath, '-e', script])
    expect(stdout.length).toBe(1 << 20)
    expect(stdout.every((byte, index) => byte === ((index * 167) & 255))).toBe(true)
  })

  test('no output is lost to a slow reader', async () => {
    let bytes = 0
    const slow = new Writable({
      highWaterMark: 1024,
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length
        setTimeout(done, 1)
      },
    })
    const { exitCode } = await sh('head -c 500000 /dev/zero', { stdout: slow })
    expect(exitCode).toBe(0)
    await new Promise<void>((resolve) => slow.end(resolve))
    expect(bytes).toBe(500_000)
  })

  test('calls queue up, and one that leaves a program behind does not hold up the next', async () => {
    const [first, second] = await Promise.all([sh('sleep 60 & echo first'), sh('echo second')])
    expect([first.stdout.toString(), second.stdout.toString()]).toEqual(['first\n', 'second\n'])
  })

  test('words and variables arrive unchanged', async () => {
    const { stdout } = await lab.run(['sh', '-c', 'printf "%s|%s" "$1" "$ODD"', 'sh', `a 'b' "$c"`], {
      env: { ODD: 'line\nline' },
    })
    expect(stdout.toString()).toBe(`a 'b' "$c"|line\nline`)
  })

  test('stdin is empty and /dev/stderr can be opened', async () => {
    expect((await sh('cat; echo x >/dev/stderr')).stderr.toString()).toBe('x\n')
  })
})

describe('files', () => {
  test("the guest runs in the same directory and sees the host's files", async () => {
    expect(await text('pwd')).toBe(process.cwd())
    expect(await text(`cmp ${process.cwd()}/package.json package.json && echo same`)).toBe('same')
  })

  test("the host's files cannot be changed", async () => {
    const { exitCode, stderr } = await sh('touch LICENSE.new; echo x >LICENSE', { cwd: process.cwd() })
    if (process.cwd().startsWith('/tmp/')) expect(exitCode).toBe(0)
    else expect(stderr.toString()).toMatch(/Read-only file system/)
    expect(existsSync(join(process.cwd(), 'LICENSE.new'))).toBe(false)
    expect(readFileSync('LICENSE', 'utf8')).toContain('Apache License')
  })

  test('a directory under /tmp can be run in and written to, and the host does not notice', async () => {
    const { stdout } = await sh('pwd; cat file; echo changed >file; cat file; touch new', { cwd: scratch })
    expect(stdout.toString()).toBe(`${scratch}\nfrom the hostchanged\n`)
    expect(readFileSync(join(scratch, 'file'), 'utf8')).toBe('from the host')
    expect(readdirSync(scratch)).toEqual(['file'])
  })

  test('results come out: one file, a directory, what lies in $OPENBAR_LAB_OUT, and a file of /proc', async () => {
    await sh('mkdir -p /tmp/made/deep; echo 1 >/tmp/made/deep/a; echo 2 >"$OPENBAR_LAB_OUT/b"')
    const out = mkdtempSync(join(tmpdir(), 'lab-out-'))
    await lab.copyOut('/tmp/made', join(out, 'made'))
    await lab.copyOut('/run/openbar-lab/out/b', join(out, 'b'))
    expect(readFileSync(join(out, 'made/deep/a'), 'utf8')).toBe('1\n')
    expect(readFileSync(join(out, 'b'), 'utf8')).toBe('2\n')
    expect((await lab.readFile('/proc/sys/kernel/hostname')).toString()).toBe('openbar-lab\n')
    await expect(lab.copyOut('/tmp/none', out)).rejects.toThrow(/cannot copy \/tmp\/none/)
    rmSync(out, { recursive: true })
  })

  test('a file goes in', async () => {
    await lab.copyIn(join(scratch, 'file'), '/tmp/copied')
    expect(await text('cat /tmp/copied')).toBe('from the host')
    await expect(lab.copyIn(join(scratch, 'file'), '/etc/copied')).rejects.toMatchObject({ code: 'ERR_LAB_FILE' })
  })
})

describe('the machine', () => {
  test('devices are where the description says', async () => {
    const ids = { e1000: '0x100e', e1000e: '0x10d3', edu: '0x11e8' } as Readonly<Record<string, string>>
    for (const { address, model } of lab.devices) {
      expect(await text(`cat /sys/bus/pci/devices/${address}/device`)).toBe(ids[model])
    }
    expect(JSON.parse(await text('echo "$OPENBAR_LAB_DESCRIPTION"'))).toEqual(lab.description)
  })

  test('no driver of the kernel has taken a network card', async () => {
    expect(await text('ls -d /sys/bus/pci/devices/0000:00:02.0/driver 2>/dev/null; ls /sys/class/net')).toBe('lo')
  })

  test("the kernel's own driver can be loaded by name", async () => {
    expect(await text('modprobe e1000 && basename "$(readlink /sys/bus/pci/devices/0000:00:02.0/driver)"')).toBe(
      'e1000',
    )
  })
})

describe('the machine protocol', () => {
  test('the link goes down and up from the host', async () => {
    await sh('modprobe e1000; ip link set eth0 up')
    const carrier = () => text('sleep 0.3; cat /sys/class/net/eth0/carrier')
    await lab.qmp.execute('set_link', { name: 'nic0', up: false })
    await expect.poll(carrier, { timeout: 10_000 }).toBe('0')
    await lab.qmp.execute('set_link', { name: 'nic0', up: true })
    await expect.poll(carrier, { timeout: 10_000 }).toBe('1')
  })

  test('a program in the guest unplugs a device and plugs it in again', async () => {
    const guest = new URL('../guest/index.ts', import.meta.url).pathname
    const script = `
      import { openQmp, describeLab } from ${JSON.stringify(guest)}
      import { existsSync } from 'node:fs'
      const { id, address, qemuBus } = describeLab().devices.find((device) => device.bus === 'port')
      const there = () => existsSync('/sys/bus/pci/devices/' + address)
      const until = async (want) => { while (there() !== want) await new Promise((done) => setTimeout(done, 20)) }
      using qmp = await openQmp()
      const seen = [there()]
      const gone = qmp.waitFor('DEVICE_DELETED', { where: (data) => data.device === id })
      await qmp.execute('device_del', { id })
      await gone
      await until(false)
      seen.push(there())
      await qmp.execute('device_add', { driver: 'e1000e', id, bus: qemuBus, netdev: 'net1' })
      await until(true)
      seen.push(there())
      await qmp.execute('device_del', { id: 'nobody' }).catch((error) => seen.push(error.code))
      console.log(JSON.stringify(seen))
    `
    const { stdout, stderr } = await lab.run([process.execPath, '--input-type=module', '-e', script], {
      timeoutMs: 60_000,
    })
    expect(stderr.toString()).toBe('')
    expect(JSON.parse(stdout.toString())).toEqual([true, false, true, 'ERR_LAB_QMP'])
  })

  test('the same from the host', async () => {
    const gone = lab.qmp.waitFor('DEVICE_DELETED', { where: (data) => data['device'] === 'nic1' })
    await lab.qmp.execute('device_del', { id: 'nic1' })
    await gone
    await expect(lab.qmp.execute('device_del', { id: 'nic1' })).rejects.toMatchObject({ code: 'ERR_LAB_QMP' })
  })
})
