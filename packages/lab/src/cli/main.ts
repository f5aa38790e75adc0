#!/usr/bin/env node
import { LabError } from '../lab-error.ts'
import { doctorCommand } from './doctor-command.ts'
import { helpTexts } from './help.ts'
import { runCommand } from './run-command.ts'
import { setupCommand } from './setup-command.ts'
import { shellCommand } from './shell-command.ts'

// As with env(1) and timeout(1): the lab failed, not the command in it.
const labFailed = 125
const needsRoot = 3

const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  setup: setupCommand,
  run: runCommand,
  shell: shellCommand,
  doctor: doctorCommand,
}

async function main(): Promise<number> {
  const [name, ...args] = process.argv.slice(2)
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(helpTexts.main)
    return name === undefined ? labFailed : 0
  }
  const command = commands[name]
  if (command !== undefined) return command(args)
  throw new LabError('ERR_LAB_OPTION', `There is no command "${name}"`, { hint: 'See: openbar-lab --help' })
}

function report(error: LabError): void {
  const colour = process.stderr.isTTY && process.env['NO_COLOR'] === undefined
  const red = (text: string) => (colour ? `\x1b[31m${text}\x1b[39m` : text)
  const parts = [`${red('openbar-lab:')} ${error.message}`]
  if (error.console !== undefined && error.console !== '') {
    parts.push(`\nThe end of the guest's console:\n${error.console.replace(/^/gm, '  | ')}`)
  }
  if (error.hint !== undefined) parts.push(error.hint)
  process.stderr.write(`${parts.join('\n')}\n`)
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof LabError)) throw error
  report(error)
  process.exitCode = error.code === 'ERR_LAB_NEEDS_ROOT' ? needsRoot : labFailed
}
