/* disk_image_parts.h — between disk_image.c, which plays a recording, and disk_choose.c, which decides what a crash leaves. */
#ifndef TESTS_LIB_DISK_IMAGE_PARTS_H
#define TESTS_LIB_DISK_IMAGE_PARTS_H

#include "tests/lib/disk_image.h"

#define SECTOR DISK_SECTOR_BYTES

struct pending {
    size_t call;
    bool is_lost; /* a sync that failed has called it clean */
};

struct file {
    uint8_t *base;
    size_t size, capacity; /* a multiple of SECTOR */
    uint64_t base_hash;    /* 0: to be reckoned */
    struct pending *pending;
    size_t pending_count, pending_capacity;
    size_t *floors; /* of each sector of the capacity: calls before it are in the base; NULL: 0 for all */
    /* What disk_choose() decided. */
    uint8_t *chosen;
    size_t chosen_size, chosen_capacity;
};

struct entry {
    uint32_t dir, node;
    const char *name;
};
struct entries {
    struct entry *at;
    size_t count, capacity;
};

struct disk {
    const struct disk_log *log;
    size_t played;
    struct file *files; /* one a node */
    mode_t *modes;      /* one a node */
    struct entries synced, chosen;
    size_t *pending_names; /* calls */
    size_t pending_name_count, pending_name_capacity;
    size_t last_write; /* the call played last, where it is a write; else SIZE_MAX */
    size_t *bounds;    /* of each sector of a file under decision: how many of the pending calls count */
    size_t bound_capacity;
};

static inline size_t floor_of(const struct file *file, size_t sector)
{
    return file->floors == NULL ? 0 : file->floors[sector];
}

void disk_reserve(uint8_t **bytes, size_t *capacity, size_t size);
/* The length behind a call. */
size_t disk_size_after(const struct disk_call *call, size_t size);
/* Behind the last sector that a call touches. */
size_t disk_sectors_end(const struct disk_call *call, const struct file *file);
/* The part of a write that lies in a sector: bytes, and where it begins in the file. */
size_t disk_part_in(const struct disk_call *call, size_t sector, size_t *ret_from);
/* Zeros behind a length that a call gave a file, but for sectors that were synced since. */
void disk_cut(const struct file *file, uint8_t *bytes, size_t index, size_t size);
void disk_entries_apply(struct entries *entries, const struct disk_call *call);

#endif
