/*
 * How long an interrupt takes into a C program's epoll loop: the yardstick for a vector's callback in JavaScript.
 *
 * usage: latency-bench GROUP ADDRESS ROUNDS      GROUP: /dev/vfio/12; an 82574L, bound to vfio-pci
 *
 * Has the NIC raise an MSI-X interrupt ROUNDS times, with a pause before each, and prints the nanoseconds from the register write
 * that raises it to the moment at which the eventfd was read.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* 82574 datasheet, 10.2: registers by their number of 32-bit words. */
#define ICS (0x00c8 / 4)
#define IMS (0x00d0 / 4)
#define EIAC (0x00dc / 4)
#define IVAR (0x00e4 / 4)
#define RXQ0 (1u << 20)
#define RXQ0_TO_VECTOR_0 (1u << 3)

#define COMMAND 4
#define MEMORY_AND_BUS_MASTER 6

static int open_or_die(const char *path) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) err(1, "%s", path);
  return fd;
}

static struct vfio_region_info region(int device, uint32_t index) {
  struct vfio_region_info info = { .argsz = sizeof info, .index = index };
  if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) != 0) err(1, "VFIO_DEVICE_GET_REGION_INFO");
  return info;
}

static int open_device(const char *group_path, const char *address) {
  int container = open_or_die("/dev/vfio/vfio");
  int group = open_or_die(group_path);
  if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) != 0) err(1, "VFIO_GROUP_SET_CONTAINER");
  if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) err(1, "VFIO_SET_IOMMU");
  int device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);
  if (device < 0) err(1, "VFIO_GROUP_GET_DEVICE_FD");
  uint16_t command = MEMORY_AND_BUS_MASTER;
  off_t config = region(device, VFIO_PCI_CONFIG_REGION_INDEX).offset;
  if (pwrite(device, &command, 2, config + COMMAND) != 2) err(1, "the command register");
  return device;
}

static int msix_event(int device) {
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  union {
    struct vfio_irq_set set;
    char room[sizeof(struct vfio_irq_set) + 4];
  } irqs = { .set = { .argsz = sizeof irqs,
                      .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                      .index = VFIO_PCI_MSIX_IRQ_INDEX,
                      .count = 1 } };
  *(int32_t *)irqs.set.data = event;
  if (ioctl(device, VFIO_DEVICE_SET_IRQS, &irqs) != 0) err(1, "VFIO_DEVICE_SET_IRQS");
  return event;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 4) errx(2, "the head of latency-bench.c says how");
  int device = open_device(argv[1], argv[2]);
  struct vfio_region_info bar0 = region(device, VFIO_PCI_BAR0_REGION_INDEX);
  volatile uint32_t *regs = mmap(NULL, bar0.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar0.offset);
  if (regs == MAP_FAILED) err(1, "mmap");

  int event = msix_event(device), loop = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event interest = { .events = EPOLLIN, .data.fd = event };
  if (epoll_ctl(loop, EPOLL_CTL_ADD, event, &interest) != 0) err(1, "epoll_ctl");
  regs[IVAR] = RXQ0_TO_VECTOR_0;
  regs[EIAC] = RXQ0;

  for (long round = atol(argv[3]); round > 0; round -= 1) {
    usleep(1000);
    /* Each delivery clears it. */
    regs[IMS] = RXQ0;
    uint64_t count, start = now();
    regs[ICS] = RXQ0;
    if (epoll_wait(loop, &interest, 1, 5000) != 1) errx(1, "no interrupt came");
    if (read(event, &count, 8) != 8) err(1, "read");
    printf("%llu\n", (unsigned long long)(now() - start));
  }
}
