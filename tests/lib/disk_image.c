/*
 * disk_image.c — plays a recording.
 *
 * Owns: of each file what is surely on the disk (`base`) and the calls behind it that are not (`pending`); the same of names.
 * Invariants: bytes of `base` behind its size are zeros. A pending call counts in a sector only when it is not older than the
 * sector's floor: what is older is in the base there. Calls are pending in their order.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/disk_image_parts.h"
#include "tests/lib/disk_log_file.h"
#include "tests/lib/plain.h"

/* ---- Files ---- */

void disk_reserve(uint8_t **bytes, size_t *capacity, size_t size)
{
    if (size <= *capacity)
        return;
    size_t larger = (size + size / 2 + SECTOR - 1) / SECTOR * SECTOR;
    *bytes = realloc(*bytes, larger);
    CHECK(*bytes != NULL);
    memset(*bytes + *capacity, 0, larger - *capacity);
    *capacity = larger;
}

static void file_reserve(struct file *file, size_t size)
{
    size_t before = file->capacity / SECTOR;
    disk_reserve(&file->base, &file->capacity, size);
    size_t after = file->capacity / SECTOR;
    if (file->floors == NULL || after == before)
        return;
    file->floors = realloc(file->floors, after * sizeof *file->floors);
    CHECK(file->floors != NULL);
    memset(file->floors + before, 0, (after - before) * sizeof *file->floors);
}

size_t disk_size_after(const struct disk_call *call, size_t size)
{
    if (call->op == DISK_RESIZE)
        return (size_t)call->offset;
    size_t end = (size_t)call->offset + call->count;
    return end > size ? end : size;
}

size_t disk_part_in(const struct disk_call *call, size_t sector, size_t *ret_from)
{
    size_t from = sector * SECTOR, to = from + SECTOR, begin = (size_t)call->offset, end = begin + call->count;
    *ret_from = from > begin ? from : begin;
    to = to < end ? to : end;
    return to > *ret_from ? to - *ret_from : 0;
}

/* A pending call's bytes of one sector into the base. */
static void base_take(struct disk *disk, struct file *file, size_t index, size_t sector)
{
    const struct disk_call *call = &disk->log->calls[index];
    size_t from = 0;
    if (index < floor_of(file, sector))
        return;
    if (call->op == DISK_RESIZE) {
        from = call->offset > sector * SECTOR ? (size_t)call->offset - sector * SECTOR : 0;
        if (from < SECTOR)
            memset(file->base + sector * SECTOR + from, 0, SECTOR - from);
        return;
    }
    size_t count = disk_part_in(call, sector, &from);
    if (count > 0)
        memcpy(file->base + from, call->bytes + (from - (size_t)call->offset), count);
}

size_t disk_sectors_end(const struct disk_call *call, const struct file *file)
{
    if (call->op == DISK_RESIZE)
        return file->capacity / SECTOR;
    return ((size_t)call->offset + call->count + SECTOR - 1) / SECTOR;
}

void disk_cut(const struct file *file, uint8_t *bytes, size_t index, size_t size)
{
    for (size_t from = size, to; from < file->capacity; from = to) {
        to = (from / SECTOR + 1) * SECTOR;
        if (index >= floor_of(file, from / SECTOR))
            memset(bytes + from, 0, to - from);
    }
}

/* Calls that a sync has not lost are done; the sectors they touch come to the disk with all that is in them. */
static void file_sync(struct disk *disk, struct file *file)
{
    const size_t sectors = file->capacity / SECTOR;
    bool *touched = calloc(sectors + 1, sizeof *touched);
    size_t kept = 0, size = file->size;
    CHECK(touched != NULL);
    for (size_t i = 0; i < file->pending_count; i++) {
        const struct disk_call *call = &disk->log->calls[file->pending[i].call];
        size = disk_size_after(call, size);
        for (size_t s = (size_t)call->offset / SECTOR; s < disk_sectors_end(call, file) && !file->pending[i].is_lost;
             s++)
            touched[s] = true;
    }
    for (size_t i = 0; i < file->pending_count; i++) {
        const struct disk_call *call = &disk->log->calls[file->pending[i].call];
        for (size_t s = (size_t)call->offset / SECTOR; s < disk_sectors_end(call, file); s++)
            if (touched[s])
                base_take(disk, file, file->pending[i].call, s);
        if (file->pending[i].is_lost)
            file->pending[kept++] = file->pending[i];
    }
    file->pending_count = kept;
    file->size = size;
    file->base_hash = 0;
    if (kept > 0 && file->floors == NULL)
        file->floors = calloc(sectors + 1, sizeof *file->floors);
    for (size_t s = 0; s < sectors && kept > 0; s++)
        if (touched[s])
            file->floors[s] = disk->played;
    if (kept == 0) {
        free(file->floors);
        file->floors = NULL;
    }
    free(touched);
}

/* A write to a descriptor with O_DSYNC has returned. */
static void file_sync_range(struct disk *disk, struct file *file, const struct disk_call *range)
{
    size_t first = (size_t)range->offset / SECTOR, end = disk_sectors_end(range, file), kept = 0;
    if (file->floors == NULL)
        file->floors = calloc(file->capacity / SECTOR + 1, sizeof *file->floors);
    CHECK(file->floors != NULL);
    for (size_t i = 0; i < file->pending_count; i++) {
        const struct disk_call *call = &disk->log->calls[file->pending[i].call];
        for (size_t s = first; s < end; s++)
            base_take(disk, file, file->pending[i].call, s);
        bool is_inside =
            call->op == DISK_WRITE && call->offset / SECTOR >= first && disk_sectors_end(call, file) <= end;
        if (!is_inside)
            file->pending[kept++] = file->pending[i];
    }
    file->pending_count = kept;
    for (size_t s = first; s < end; s++)
        file->floors[s] = disk->played + 1;
    if (kept == 0) {
        free(file->floors);
        file->floors = NULL;
    }
    file->size = disk_size_after(range, file->size);
    file->base_hash = 0;
}

static void file_pend(struct disk *disk, struct file *file, const struct disk_call *call)
{
    file_reserve(file, disk_size_after(call, file->size));
    file->pending = disk_grow(file->pending, file->pending_count, &file->pending_capacity, sizeof *file->pending);
    file->pending[file->pending_count++] = (struct pending){.call = disk->played};
}

/* ---- Names ---- */

static void entry_remove(struct entries *entries, uint32_t dir, const char *name, uint32_t node)
{
    for (size_t i = 0; i < entries->count; i++)
        if (entries->at[i].dir == dir && strcmp(entries->at[i].name, name) == 0 &&
            (node == DISK_NO_NODE || entries->at[i].node == node)) {
            entries->at[i] = entries->at[--entries->count];
            return;
        }
}

static void entry_put(struct entries *entries, uint32_t dir, const char *name, uint32_t node)
{
    entry_remove(entries, dir, name, DISK_NO_NODE);
    entries->at = disk_grow(entries->at, entries->count, &entries->capacity, sizeof *entries->at);
    entries->at[entries->count++] = (struct entry){dir, node, name};
}

void disk_entries_apply(struct entries *entries, const struct disk_call *call)
{
    switch (call->op) {
    case DISK_CREATE: entry_put(entries, call->dir, call->name, call->node); break;
    case DISK_REMOVE: entry_remove(entries, call->dir, call->name, call->node); break;
    case DISK_RENAME:
        entry_remove(entries, call->dir, call->name, call->node);
        entry_put(entries, call->to_dir, call->to, call->node);
        break;
    default: abort();
    }
}

static void names_sync(struct disk *disk, uint32_t dir)
{
    size_t kept = 0;
    for (size_t i = 0; i < disk->pending_name_count; i++) {
        const struct disk_call *call = &disk->log->calls[disk->pending_names[i]];
        if (call->dir == dir || (call->op == DISK_RENAME && call->to_dir == dir))
            disk_entries_apply(&disk->synced, call);
        else
            disk->pending_names[kept++] = disk->pending_names[i];
    }
    disk->pending_name_count = kept;
}

/* ---- Playing ---- */

static void play(struct disk *disk)
{
    const struct disk_call *call = &disk->log->calls[disk->played];
    struct file *file = call->op == DISK_MARK ? NULL : &disk->files[call->node];
    switch (call->op) {
    case DISK_WRITE:
    case DISK_RESIZE: file_pend(disk, file, call); break;
    case DISK_SYNC: file_sync(disk, file); break;
    case DISK_SYNC_RANGE: file_sync_range(disk, file, call); break;
    case DISK_SYNC_LOST:
        for (size_t i = 0; i < file->pending_count; i++)
            file->pending[i].is_lost = true;
        break;
    case DISK_SYNC_NAMES: names_sync(disk, call->node); break;
    case DISK_CREATE: disk->modes[call->node] = (mode_t)call->offset; __attribute__((fallthrough));
    case DISK_REMOVE:
    case DISK_RENAME:
        disk->pending_names = disk_grow(disk->pending_names, disk->pending_name_count, &disk->pending_name_capacity,
                                        sizeof *disk->pending_names);
        disk->pending_names[disk->pending_name_count++] = disk->played;
        break;
    case DISK_MARK: break;
    default: abort();
    }
    disk->last_write = call->op == DISK_WRITE ? disk->played : call->op == DISK_MARK ? disk->last_write : SIZE_MAX;
    disk->played++;
}

struct disk *disk_new(const struct disk_log *log)
{
    struct disk *disk = calloc(1, sizeof *disk);
    CHECK(disk != NULL);
    disk->log = log;
    disk->files = calloc(log->node_count, sizeof *disk->files);
    disk->modes = calloc(log->node_count, sizeof *disk->modes);
    disk->last_write = SIZE_MAX;
    CHECK(disk->files != NULL && disk->modes != NULL);
    return disk;
}

static void empty(struct disk *disk)
{
    for (uint32_t i = 0; i < disk->log->node_count; i++) {
        struct file *file = &disk->files[i];
        free(file->base);
        free(file->pending);
        free(file->floors);
        free(file->chosen);
    }
    free(disk->files);
    free(disk->modes);
    free(disk->synced.at);
    free(disk->chosen.at);
    free(disk->pending_names);
    free(disk->bounds);
}

void disk_free(struct disk *disk)
{
    if (disk == NULL)
        return;
    empty(disk);
    free(disk);
}

void disk_play(struct disk *disk, size_t end)
{
    CHECK(end <= disk->log->count);
    if (end < disk->played) {
        struct disk *again = disk_new(disk->log);
        empty(disk);
        *disk = *again;
        free(again);
    }
    while (disk->played < end)
        play(disk);
}

size_t disk_pending_count(const struct disk *disk)
{
    size_t count = disk->pending_name_count;
    for (uint32_t i = 0; i < disk->log->node_count; i++)
        count += disk->files[i].pending_count;
    return count;
}
