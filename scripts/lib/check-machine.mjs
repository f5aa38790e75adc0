import { Stop } from './stop.mjs'

/** Refuses machines on which nothing here can work, before anything is downloaded or installed. */
export function checkMachine() {
  const { platform, arch, versions } = process
  if (platform !== 'linux' || arch !== 'x64') {
    throw new Stop(1, `Openbar needs Linux on x86-64; this is ${platform} on ${arch}.`)
  }
  if (Number.parseInt(versions.node, 10) < 20) {
    throw new Stop(
      1,
      `These scripts need Node.js 20 or newer; this is ${versions.node}. What they run, they run on a Node.js 24 that npm installs.`,
    )
  }
}
