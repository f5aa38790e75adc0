/*
 * How long an interrupt takes into a C program's epoll loop: the yardstick for a vector's callback in JavaScript.
 *
 * usage: latency-bench receive GROUP ADDRESS ROUNDS      GROUP: /dev/vfio/12; QEMU's edu device, bound to vfio-pci
 *        latency-bench raise DEVICE ROUNDS               DEVICE: the number of an inherited file descriptor
 *
 * `raise` has the device raise an MSI ROUNDS times, each after it has read a byte and paused, and prints the nanoseconds of
 * CLOCK_MONOTONIC at which it did. `receive` has a child do that, and prints how long after each it had read the eventfd.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* QEMU's docs/specs/edu: registers by their number of 32-bit words. */
#define RAISE (0x60 / 4)
#define ACKNOWLEDGE (0x64 / 4)

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

static int msi_event(int device) {
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  union {
    struct vfio_irq_set set;
    char room[sizeof(struct vfio_irq_set) + 4];
  } irqs = { .set = { .argsz = sizeof irqs,
                      .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                      .index = VFIO_PCI_MSI_IRQ_INDEX,
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

static void raise_interrupts(int device, long rounds) {
  struct vfio_region_info bar0 = region(device, VFIO_PCI_BAR0_REGION_INDEX);
  volatile uint32_t *regs = mmap(NULL, bar0.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar0.offset);
  if (regs == MAP_FAILED) err(1, "mmap");
  char byte;
  for (; rounds > 0 && read(0, &byte, 1) == 1; rounds -= 1) {
    regs[ACKNOWLEDGE] = 1;
    usleep(1000);
    uint64_t at = now();
    regs[RAISE] = 1;
    printf("%llu\n", (unsigned long long)at);
  }
  fflush(stdout);
  /* The last one is taken, too, before the device may be let go of. */
  if (read(0, &byte, 1) == 1) regs[ACKNOWLEDGE] = 1;
}

static void receive_interrupts(int device, long rounds) {
  int to_child[2], from_child[2];
  if (pipe(to_child) != 0 || pipe(from_child) != 0) err(1, "pipe");
  pid_t child = fork();
  if (child == 0) {
    dup2(to_child[0], 0);
    dup2(from_child[1], 1);
    raise_interrupts(device, rounds);
    exit(0);
  }
  int event = msi_event(device), loop = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event interest = { .events = EPOLLIN, .data.fd = event };
  if (epoll_ctl(loop, EPOLL_CTL_ADD, event, &interest) != 0) err(1, "epoll_ctl");
  uint64_t *taken = calloc(rounds, sizeof *taken), count;
  for (long round = 0; round < rounds; round += 1) {
    if (write(to_child[1], "", 1) != 1) err(1, "write");
    if (epoll_wait(loop, &interest, 1, 5000) != 1) errx(1, "no interrupt came");
    if (read(event, &count, 8) != 8) err(1, "read");
    taken[round] = now();
  }
  if (write(to_child[1], "", 1) != 1) err(1, "write");
  FILE *raised = fdopen(from_child[0], "r");
  for (long round = 0; round < rounds; round += 1) {
    unsigned long long at;
    if (fscanf(raised, "%llu", &at) != 1) errx(1, "the child has told too little");
    printf("%llu\n", (unsigned long long)taken[round] - at);
  }
  waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "receive") == 0) receive_interrupts(open_device(argv[2], argv[3]), atol(argv[4]));
  else if (argc == 4 && strcmp(argv[1], "raise") == 0) raise_interrupts(atoi(argv[2]), atol(argv[3]));
  else errx(2, "the head of latency-bench.c says how");
}
