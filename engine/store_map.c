/* store_map.c — data.mdb, mapped for reading beside LMDB's own map, whose address LMDB does not tell. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "engine/store_view.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

/* Address space for as long as the file may grow; what lies behind its end is not touched. */
int store_map_open(int fd, size_t bytes, uint32_t page_bytes, struct store_map *ret_map)
{
    assert(fd >= 0 && bytes > 0 && page_bytes >= PAGE_BYTES_MIN);
    void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (at == MAP_FAILED)
        return errno;
    (void)madvise(at, bytes, MADV_RANDOM); /* advice: reading ahead of a random page helps nobody */
    *ret_map = (struct store_map){at, bytes, fd, page_bytes};
    return 0;
}

void store_map_close(struct store_map *map)
{
    if (map->at != NULL)
        (void)munmap((void *)(uintptr_t)map->at, map->bytes);
    *map = (struct store_map){.at = NULL};
}
