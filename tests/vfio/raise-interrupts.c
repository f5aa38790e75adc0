/*
 * Has an 82574L raise MSI-X vector 0 as fast as it can, and takes each by an event loop of its own.
 *
 * usage: raise-interrupts DEVICE EVENT MILLISECONDS     both the numbers of inherited file descriptors
 *
 * Prints how many were raised, and how many of these did not come within a second.
 */
#include <err.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* 82574 datasheet, 10.2: registers by their number of 32-bit words. */
#define ICR (0x00c0 / 4)
#define ICS (0x00c8 / 4)
#define IMS (0x00d0 / 4)
#define IVAR (0x00e4 / 4)
#define RXQ0 (1u << 20)
#define RXQ0_TO_VECTOR_0 (1u << 3)

static long milliseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
  if (argc != 4) errx(2, "the head of raise-interrupts.c says how");
  int device = atoi(argv[1]), event = atoi(argv[2]);
  struct vfio_region_info bar0 = { .argsz = sizeof bar0, .index = VFIO_PCI_BAR0_REGION_INDEX };
  if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar0) != 0) err(1, "VFIO_DEVICE_GET_REGION_INFO");
  volatile uint32_t *regs = mmap(NULL, bar0.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar0.offset);
  if (regs == MAP_FAILED) err(1, "mmap");
  regs[IVAR] = RXQ0_TO_VECTOR_0;

  struct pollfd waiting = { .fd = event, .events = POLLIN };
  long raised = 0, lost = 0;
  for (long end = milliseconds() + atol(argv[3]); milliseconds() < end; raised += 1) {
    uint64_t count;
    regs[ICR] = RXQ0;
    regs[IMS] = RXQ0;
    regs[ICS] = RXQ0;
    if (poll(&waiting, 1, 1000) != 1) lost += 1;
    else if (read(event, &count, sizeof count) != sizeof count) err(1, "read");
  }
  /* QEMU aborts when MSI-X is switched off while the NIC's throttling timer runs. */
  usleep(100000);
  printf("%ld %ld\n", raised, lost);
}
