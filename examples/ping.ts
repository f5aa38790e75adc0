/**
 * Pings the network through each e1000 of the machine, one after the other.
 *
 *     node examples/ping.ts [--json] [--backend iommufd|type1] [address…]
 *
 * The whole way is here: find the device, open a domain, take the device from its driver, start the NIC, speak ARP and
 * ICMP, and give everything back. Exits with 1 when a reply is missing.
 */
import { parseArgs } from 'node:util'
import { E1000 } from '@openbar/drivers-e1000'
import { type BackendName, Domain, readGroup } from '@openbar/iommu'
import { listFunctions, type PciFunction, readFunction } from '@openbar/pci'
import { Device, isOpenbarError } from '@openbar/vfio'
import { type EchoReply, echo, resolve } from './net/ping-host.ts'
import { jsonReport, type PingReport, textReport } from './net/ping-report.ts'

const OUR_IP = '10.0.2.15'
const GATEWAY = '10.0.2.2'
const ECHOES = 4

// Ctrl-C ends the waits, and with them everything that was opened is closed in order: the NIC goes back to its driver.
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort())

async function ping(nicFunction: PciFunction, backend: BackendName | undefined, report: PingReport): Promise<boolean> {
  const address = nicFunction.address.toString()
  report.found(nicFunction)

  // A domain is an address space for devices. It is empty: a device in it can reach nothing yet.
  await using domain = await Domain.open(backend === undefined ? {} : { backend })
  report.domainOpened(domain.snapshot())

  // Only now can the device be opened: binding takes it from the kernel's driver, and the domain fences it in.
  await using device = await Device.open(address, { domain, bind: true })
  report.deviceOpened(device, readGroup(device.group), nicFunction.driver)

  // The driver maps its rings and buffers in the domain, and programs the NIC.
  await using nic = await E1000.start(device)
  report.nicStarted(nic, domain.snapshot())
  const { signal } = interrupted
  report.linkUp(await nic.waitForLink({ timeout: 10_000, signal }))

  const route = { nic, from: OUR_IP, to: GATEWAY, signal }
  const gateway = await resolve(route)
  report.resolved(GATEWAY, gateway)
  if (gateway === undefined) return false

  const replies: EchoReply[] = []
  for (let sequence = 1; sequence <= ECHOES && !signal.aborted; sequence += 1) {
    const reply = await echo(route, gateway, sequence)
    if (reply !== undefined) replies.push(reply)
    report.echoed(GATEWAY, sequence, reply)
  }
  report.finished(GATEWAY, ECHOES, replies)
  report.statistics(nic.statistics(), nic.interrupts)
  report.mappings(domain.snapshot())
  return replies.length === ECHOES
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, backend: { type: 'string' } },
})
const report = values.json ? jsonReport() : textReport()

try {
  const nics =
    positionals.length > 0 ? positionals.map((name) => readFunction(name)) : listFunctions().filter(E1000.supports)
  if (nics.length === 0) throw new Error('There is no 82540EM, 82545EM or 82574L in this machine.')
  for (const nic of nics) {
    if (interrupted.signal.aborted) break
    // Domain.open refuses any other name.
    const complete = await ping(nic, values.backend as BackendName | undefined, report)
    report.closed(nic.address.toString(), readFunction(nic.address).driver)
    if (!complete) process.exitCode = 1
  }
} catch (error) {
  if (!(error instanceof Error)) throw error
  report.failed(error.message, isOpenbarError(error) ? error.code : undefined)
  process.exitCode = 1
}
