import { readFileSync, writeFileSync } from 'node:fs'

/**
 * How many pages are pinned in the whole machine now, whoever did it and whether that process still lives: what the kernel has
 * pinned for DMA since the boot, less what it has let go of.
 *
 * @see linux/mmzone.h: NR_FOLL_PIN_ACQUIRED, NR_FOLL_PIN_RELEASED
 */
export function pinnedPages(): number {
  // The kernel adds up by processor, and tells the sum only after this.
  writeFileSync('/proc/sys/vm/stat_refresh', '1')
  const statistics = readFileSync('/proc/vmstat', 'utf8')
  const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(statistics)?.[1])
  return count('nr_foll_pin_acquired') - count('nr_foll_pin_released')
}
