import type { DomainSnapshot } from '../domain-snapshot.ts'

/** What the registry has to know of a domain. */
export interface RegisteredDomain {
  snapshot(): DomainSnapshot
}

/** In the order of opening. Weak: a domain that its program forgot without closing it is not kept alive by being listed. */
const domains = new Set<WeakRef<RegisteredDomain>>()
let registered = 0

/**
 * Adds a domain of this process to those that {@link openDomains} lists.
 *
 * @returns A number that no other domain of this process has or had.
 */
export function registerDomain(domain: RegisteredDomain): number {
  openDomains()
  domains.add(new WeakRef(domain))
  registered += 1
  return registered
}

/** Takes a domain off the list: it is finished. Does nothing for one that is not there. */
export function forgetDomain(domain: RegisteredDomain): void {
  for (const reference of domains) if (reference.deref() === domain) domains.delete(reference)
}

/** The domains of this process that are open, or closed and still held by devices; in the order of opening. */
export function openDomains(): RegisteredDomain[] {
  const open: RegisteredDomain[] = []
  for (const reference of domains) {
    const domain = reference.deref()
    if (domain === undefined) domains.delete(reference)
    else open.push(domain)
  }
  return open
}
