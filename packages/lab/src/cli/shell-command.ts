import { Lab } from '../lab/lab.ts'
import { streamProgress } from '../util/progress.ts'
import { helpTexts } from './help.ts'
import { parseMachineFlags } from './machine-flags.ts'

const escapeByte = 0x1d

/** `openbar-lab shell`: a root shell on the serial console. */
export async function shellCommand(args: readonly string[]): Promise<number> {
  const flags = parseMachineFlags(args)
  if (flags.help) {
    process.stdout.write(helpTexts.shell)
    return 0
  }
  await using lab = await Lab.boot({ ...flags.boot, progress: streamProgress() })
  for (const { address, model, id } of lab.devices) process.stderr.write(`${address} ${model} (${id})\n`)
  process.stderr.write('A root shell in the guest. `exit` powers it off, Ctrl-] twice kills it.\n')

  const { input, output } = lab.terminal
  const { stdin, stdout } = process
  if (stdin.isTTY) stdin.setRawMode(true)
  output.on('data', (chunk: Buffer) => stdout.write(chunk))
  let escapes = 0
  stdin.on('data', (chunk: Buffer) => {
    for (const byte of chunk) escapes = byte === escapeByte ? escapes + 1 : 0
    if (escapes >= 2) process.kill(process.pid, 'SIGTERM')
    else input.write(chunk)
  })
  try {
    const { columns = 80, rows = 24 } = stdout
    const command =
      flags.command.length > 0 ? flags.command : ['sh', '-c', 'exec "$(command -v bash || command -v sh)" -i']
    // A serial line does not know the size of the window at its other end.
    const sized = ['sh', '-c', `stty rows ${rows} cols ${columns}; exec "$@"`, 'sh', ...command]
    return (await lab.runOnTerminal(sized, { env: flags.env })).exitCode
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false)
    stdin.pause()
  }
}
