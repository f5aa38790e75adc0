/*
 * What reading a register costs a C program: the yardstick for register windows.
 *
 * usage: mmio-bench RESOURCE OFFSET READS
 *
 * RESOURCE is a BAR's file in sysfs. Prints the nanoseconds that READS reads of 32 bits took.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 4) errx(2, "usage: mmio-bench RESOURCE OFFSET READS");
  int fd = open(argv[1], O_RDWR | O_CLOEXEC);
  if (fd < 0) err(1, "%s", argv[1]);
  volatile uint32_t *bar = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bar == MAP_FAILED) err(1, "mmap of %s", argv[1]);
  volatile uint32_t *reg = bar + strtoul(argv[2], NULL, 0) / sizeof(*bar);
  unsigned long reads = strtoul(argv[3], NULL, 0);
  uint32_t sum = 0;
  for (unsigned long i = 0; i < reads / 10; i++) sum ^= *reg;
  uint64_t start = now();
  for (unsigned long i = 0; i < reads; i++) sum ^= *reg;
  uint64_t end = now();
  fprintf(stderr, "%u\n", sum);
  printf("%llu\n", (unsigned long long)(end - start));
  return 0;
}
