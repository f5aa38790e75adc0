/*
 * What mapping costs a C program: the yardstick for domain.map and domain.unmap.
 *
 * usage: map-bench type1 CONTAINER GROUP ADDRESS SIZE ROUNDS CHUNKS     CONTAINER: /dev/vfio/vfio, or /dev/iommu
 *        map-bench iommufd CDEV SIZE ROUNDS CHUNKS
 *
 * Opens the device, maps and unmaps SIZE bytes at one address, and prints the nanoseconds of each chunk of ROUNDS rounds.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define IOVA 0x10000000ull

/* Debian 12 has no linux/iommufd.h: what is used of it here, and of newer versions of linux/vfio.h. */
#define IOMMU_IOAS_ALLOC _IO(';', 0x81)
#define IOMMU_IOAS_MAP _IO(';', 0x85)
#define IOMMU_IOAS_UNMAP _IO(';', 0x86)
#define IOAS_MAP_FIXED_IOVA (1 << 0)
#define IOAS_MAP_WRITEABLE (1 << 1)
#define IOAS_MAP_READABLE (1 << 2)
#define DEVICE_BIND_IOMMUFD _IO(';', 0x76)
#define DEVICE_ATTACH_IOMMUFD_PT _IO(';', 0x77)

struct ioas_alloc {
  uint32_t size, flags, out_ioas_id;
};
struct ioas_map {
  uint32_t size, flags, ioas_id, reserved;
  uint64_t user_va, length, iova;
};
struct ioas_unmap {
  uint32_t size, ioas_id;
  uint64_t iova, length;
};
struct bind_iommufd {
  uint32_t argsz, flags;
  int32_t iommufd;
  uint32_t out_devid;
};
struct attach_iommufd_pt {
  uint32_t argsz, flags, pt_id;
};

static int open_or_die(const char *path) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) err(1, "%s", path);
  return fd;
}

/* As MappedMemory.anonymous does it: from 2 MiB on aligned to that, and of transparent hugepages where the kernel has them. */
#define HUGE ((size_t)2 << 20)

static void *memory_of(size_t size) {
  size_t room = size < HUGE ? 0 : HUGE;
  char *memory = mmap(NULL, size + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) err(1, "mmap");
  if (room > 0) {
    memory += -(uintptr_t)memory % HUGE;
    if (madvise(memory, size, MADV_HUGEPAGE) != 0) err(1, "madvise(MADV_HUGEPAGE)");
  }
  memset(memory, 0, size);
  return memory;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void type1_round(int container, void *memory, size_t size) {
  struct vfio_iommu_type1_dma_map map = {
    .argsz = sizeof map,
    .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
    .vaddr = (uintptr_t)memory,
    .iova = IOVA,
    .size = size,
  };
  struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof unmap, .iova = IOVA, .size = size };
  if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) != 0) err(1, "VFIO_IOMMU_MAP_DMA");
  if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) != 0) err(1, "VFIO_IOMMU_UNMAP_DMA");
  if (unmap.size != size) errx(1, "%llu bytes were unmapped", (unsigned long long)unmap.size);
}

static void iommufd_round(int iommu, uint32_t ioas, void *memory, size_t size) {
  struct ioas_map map = {
    .size = sizeof map,
    .flags = IOAS_MAP_FIXED_IOVA | IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE,
    .ioas_id = ioas,
    .user_va = (uintptr_t)memory,
    .length = size,
    .iova = IOVA,
  };
  struct ioas_unmap unmap = { .size = sizeof unmap, .ioas_id = ioas, .iova = IOVA, .length = size };
  if (ioctl(iommu, IOMMU_IOAS_MAP, &map) != 0) err(1, "IOMMU_IOAS_MAP");
  if (ioctl(iommu, IOMMU_IOAS_UNMAP, &unmap) != 0) err(1, "IOMMU_IOAS_UNMAP");
  if (unmap.length != size) errx(1, "%llu bytes were unmapped", (unsigned long long)unmap.length);
}

static int type1_container(const char *path, const char *group_path, const char *address) {
  int container = open_or_die(path);
  int group = open_or_die(group_path);
  if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) != 0) err(1, "VFIO_GROUP_SET_CONTAINER");
  if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) err(1, "VFIO_SET_IOMMU");
  if (ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address) < 0) err(1, "VFIO_GROUP_GET_DEVICE_FD");
  return container;
}

static uint32_t iommufd_ioas(int iommu, const char *cdev) {
  int device = open_or_die(cdev);
  struct bind_iommufd bind = { .argsz = sizeof bind, .iommufd = iommu };
  if (ioctl(device, DEVICE_BIND_IOMMUFD, &bind) != 0) err(1, "VFIO_DEVICE_BIND_IOMMUFD");
  struct ioas_alloc ioas = { .size = sizeof ioas };
  if (ioctl(iommu, IOMMU_IOAS_ALLOC, &ioas) != 0) err(1, "IOMMU_IOAS_ALLOC");
  struct attach_iommufd_pt attach = { .argsz = sizeof attach, .pt_id = ioas.out_ioas_id };
  if (ioctl(device, DEVICE_ATTACH_IOMMUFD_PT, &attach) != 0) err(1, "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
  return ioas.out_ioas_id;
}

int main(int argc, char **argv) {
  int type1 = argc == 8 && strcmp(argv[1], "type1") == 0;
  if (!type1 && !(argc == 6 && strcmp(argv[1], "iommufd") == 0)) errx(2, "the head of map-bench.c says how");
  char **counts = argv + argc - 3;
  size_t size = strtoull(counts[0], NULL, 0);
  long rounds = atol(counts[1]), chunks = atol(counts[2]);

  int fd = type1 ? type1_container(argv[2], argv[3], argv[4]) : open_or_die("/dev/iommu");
  uint32_t ioas = type1 ? 0 : iommufd_ioas(fd, argv[2]);
  void *memory = memory_of(size);

  for (long chunk = 0; chunk < chunks; chunk += 1) {
    uint64_t start = now();
    for (long round = 0; round < rounds; round += 1) {
      if (type1) type1_round(fd, memory, size);
      else iommufd_round(fd, ioas, memory, size);
    }
    printf("%llu\n", (unsigned long long)(now() - start));
  }
}
