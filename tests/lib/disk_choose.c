/*
 * disk_choose.c — of what is not synced, what a crash leaves; and that as a directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/disk_image_parts.h"
#include "tests/lib/disk_log_file.h"
#include "tests/lib/plain.h"

/* ---- Numbers drawn from a seed ---- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t draw(const struct disk_choice *choice, uint64_t what, uint64_t number, uint64_t below)
{
    return mix(mix(choice->seed ^ what << 48) + number) % below;
}

enum draw_of { DRAW_CUT, DRAW_FILE, DRAW_SECTOR, DRAW_CALL, DRAW_TORN, DRAW_SIZE, DRAW_NAMES, DRAW_NAME };

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t count)
{
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
        hash ^= hash >> 29;
    }
    for (; count > 0; bytes++, count--)
        hash = (hash ^ *bytes) * UINT64_C(0x100000001b3);
    return mix(hash);
}

struct disk_choice disk_choice(uint64_t seed, uint64_t number)
{
    static const struct disk_choice fixed[DISK_CHOICES_FIXED] = {
        {DISK_DATA_NONE, DISK_TORN_NOT, DISK_SIZE_FITS, DISK_NAMES_NONE, 0},
        {DISK_DATA_ALL, DISK_TORN_NOT, DISK_SIZE_FITS, DISK_NAMES_ALL, 0},
        {DISK_DATA_NONE, DISK_TORN_NOT, DISK_SIZE_FITS, DISK_NAMES_ALL, 0},
        {DISK_DATA_ALL, DISK_TORN_NOT, DISK_SIZE_FITS, DISK_NAMES_NONE, 0},
        {DISK_DATA_ALL, DISK_TORN_BYTE, DISK_SIZE_FITS, DISK_NAMES_ALL, 0},
        {DISK_DATA_NONE, DISK_TORN_NOT, DISK_SIZE_NEW, DISK_NAMES_ALL, 0},
        {DISK_DATA_ALL, DISK_TORN_SECTOR, DISK_SIZE_FITS, DISK_NAMES_PREFIX, 0},
        {DISK_DATA_SECTORS, DISK_TORN_BYTE, DISK_SIZE_FITS, DISK_NAMES_ALL, 0},
    };
    struct disk_choice choice;
    uint64_t random = mix(mix(seed) + number);
    if (number < DISK_CHOICES_FIXED)
        choice = fixed[number];
    else
        choice = (struct disk_choice){.data = (enum disk_data)(random % DISK_DATA_KINDS),
                                      .torn = (enum disk_torn)((random >> 8) % DISK_TORN_KINDS),
                                      .sizes = (enum disk_sizes)((random >> 16) % DISK_SIZE_KINDS),
                                      .names = (enum disk_names)((random >> 24) % DISK_NAMES_KINDS)};
    choice.seed = mix(random);
    return choice;
}

/* ---- Deciding ---- */

/* How many pending calls count, for what is drawn a file. */
static size_t cut_of(const struct disk *disk, const struct file *file, const struct disk_choice *choice)
{
    size_t cut = (size_t)draw(choice, DRAW_CUT, 0, disk->played + 1), count = 0;
    if (disk->played > 64) /* what is pending is young, as a rule */
        cut = disk->played - (size_t)draw(choice, DRAW_CUT, 1, draw(choice, DRAW_CUT, 2, 2) == 0 ? 64 : disk->played);
    while (count < file->pending_count && file->pending[count].call < cut)
        count++;
    return count;
}

static void bounds_all(struct disk *disk, const struct file *file, size_t bound)
{
    for (size_t s = 0; s < file->capacity / SECTOR; s++)
        disk->bounds[s] = bound;
}

/* Of the sectors that pending call i writes. */
static void bounds_of_call(struct disk *disk, const struct file *file, size_t i, size_t bound)
{
    const struct disk_call *call = &disk->log->calls[file->pending[i].call];
    for (size_t s = (size_t)call->offset / SECTOR; s < disk_sectors_end(call, file) && call->op == DISK_WRITE; s++)
        disk->bounds[s] = bound;
}

static void decide_sectors(struct disk *disk, uint32_t node, const struct disk_choice *choice)
{
    const struct file *file = &disk->files[node];
    const size_t sectors = file->capacity / SECTOR, count = file->pending_count;
    size_t bound = 0;
    disk->bounds =
        sectors > disk->bound_capacity ? realloc(disk->bounds, sectors * sizeof *disk->bounds) : disk->bounds;
    disk->bound_capacity = sectors > disk->bound_capacity ? sectors : disk->bound_capacity;
    CHECK(disk->bounds != NULL || sectors == 0);
    if (choice->data == DISK_DATA_ALL || choice->data == DISK_DATA_ONE_LOST)
        bound = count;
    else if (choice->data == DISK_DATA_PREFIX)
        bound = cut_of(disk, file, choice);
    else if (choice->data == DISK_DATA_FILES)
        bound = draw(choice, DRAW_FILE, node, 2) == 0 ? 0 : count;
    bounds_all(disk, file, bound);
    for (size_t s = 0; s < sectors && choice->data == DISK_DATA_SECTORS; s++)
        disk->bounds[s] = draw(choice, DRAW_SECTOR, (uint64_t)node << 32 | s, 2) == 0 ? 0 : count;
    for (size_t s = 0; s < sectors && choice->data == DISK_DATA_VERSIONS; s++)
        disk->bounds[s] = (size_t)draw(choice, DRAW_SECTOR, (uint64_t)node << 32 | s, count + 1);
    for (size_t i = 0; i < count && choice->data == DISK_DATA_CALLS; i++)
        if (draw(choice, DRAW_CALL, file->pending[i].call, 2) == 0)
            bounds_of_call(disk, file, i, i + 1);
    if (choice->data == DISK_DATA_ONE_LOST) {
        size_t lost = (size_t)draw(choice, DRAW_CALL, node, count);
        bounds_of_call(disk, file, lost, lost);
    }
}

/* How many of the pending lengths count. */
static size_t decide_size(const struct disk *disk, uint32_t node, const struct disk_choice *choice)
{
    const struct file *file = &disk->files[node];
    size_t count = file->pending_count;
    switch (choice->sizes) {
    case DISK_SIZE_NEW: return count;
    case DISK_SIZE_OLD: return 0;
    case DISK_SIZE_ANY: return (size_t)draw(choice, DRAW_SIZE, node, count + 1);
    default: break;
    }
    switch (choice->data) {
    case DISK_DATA_NONE: return 0;
    case DISK_DATA_ALL: return count;
    case DISK_DATA_PREFIX: return cut_of(disk, file, choice);
    case DISK_DATA_FILES: return draw(choice, DRAW_FILE, node, 2) == 0 ? 0 : count;
    default: return (size_t)draw(choice, DRAW_SIZE, node, count + 1);
    }
}

/* Bytes of the write that came to the disk. */
static size_t torn_count(const struct disk *disk, size_t index, const struct disk_choice *choice)
{
    const struct disk_call *call = &disk->log->calls[index];
    if (index != disk->last_write || choice->torn == DISK_TORN_NOT)
        return call->count;
    size_t count = (size_t)draw(choice, DRAW_TORN, 0, call->count);
    if (choice->torn == DISK_TORN_BYTE)
        return count;
    size_t end = ((size_t)call->offset + count) / SECTOR * SECTOR;
    return end > (size_t)call->offset ? end - (size_t)call->offset : 0;
}

/* One pending write into what is chosen; the end of what arrived. */
static size_t chosen_take(const struct disk *disk, struct file *file, size_t i, const struct disk_choice *choice)
{
    const size_t index = file->pending[i].call;
    struct disk_call call = disk->log->calls[index];
    size_t end = 0;
    call.count = torn_count(disk, index, choice);
    for (size_t s = (size_t)call.offset / SECTOR; s < disk_sectors_end(&call, file); s++) {
        size_t from, count = disk_part_in(&call, s, &from);
        if (i >= disk->bounds[s] || index < floor_of(file, s) || count == 0)
            continue;
        memcpy(file->chosen + from, call.bytes + (from - (size_t)call.offset), count);
        end = from + count;
    }
    return end;
}

static void file_choose(struct disk *disk, uint32_t node, const struct disk_choice *choice)
{
    struct file *file = &disk->files[node];
    size_t size = file->size, told = file->size;
    decide_sectors(disk, node, choice);
    const size_t size_bound = decide_size(disk, node, choice);
    disk_reserve(&file->chosen, &file->chosen_capacity, file->capacity);
    if (file->capacity > 0)
        memcpy(file->chosen, file->base, file->capacity);
    for (size_t i = 0; i < file->pending_count; i++) {
        const struct disk_call *call = &disk->log->calls[file->pending[i].call];
        if (call->op == DISK_WRITE) {
            size_t end = chosen_take(disk, file, i, choice);
            size = end > size ? end : size;
        } else if (i < size_bound) {
            size = (size_t)call->offset;
            disk_cut(file, file->chosen, file->pending[i].call, size);
        }
        told = i < size_bound ? disk_size_after(call, told) : told;
    }
    file->chosen_size = choice->sizes == DISK_SIZE_FITS ? size : told;
}

static void names_choose(struct disk *disk, const struct disk_choice *choice)
{
    const size_t count = disk->pending_name_count;
    size_t capacity = disk->chosen.capacity;
    struct entries *chosen = &disk->chosen;
    while (capacity < disk->synced.count + count + 1)
        chosen->at = disk_grow(chosen->at, capacity, &capacity, sizeof *chosen->at);
    chosen->capacity = capacity;
    chosen->count = disk->synced.count;
    if (chosen->count > 0)
        memcpy(chosen->at, disk->synced.at, chosen->count * sizeof *chosen->at);
    for (size_t i = 0; i < count; i++) {
        const struct disk_call *call = &disk->log->calls[disk->pending_names[i]];
        bool is_kept = choice->names == DISK_NAMES_ALL;
        if (choice->names == DISK_NAMES_PREFIX)
            is_kept = i < draw(choice, DRAW_NAMES, 0, count + 1);
        else if (choice->names == DISK_NAMES_PREFIXES)
            is_kept = i < draw(choice, DRAW_NAMES, call->dir + 1, count + 1);
        else if (choice->names == DISK_NAMES_ANY)
            is_kept = draw(choice, DRAW_NAME, disk->pending_names[i], 2) == 0;
        if (is_kept)
            disk_entries_apply(chosen, call);
    }
}

static uint64_t content_hash(struct file *file)
{
    if (file->pending_count > 0)
        return hash_bytes(file->chosen_size, file->chosen, file->chosen_size);
    if (file->base_hash == 0)
        file->base_hash = hash_bytes(file->size, file->base, file->size);
    return file->base_hash;
}

uint64_t disk_choose(struct disk *disk, const struct disk_choice *choice)
{
    uint64_t hash = 0;
    names_choose(disk, choice);
    for (uint32_t i = 0; i < disk->log->node_count; i++)
        if (disk->files[i].pending_count > 0)
            file_choose(disk, i, choice);
    for (size_t i = 0; i < disk->chosen.count; i++) {
        const struct entry *entry = &disk->chosen.at[i];
        uint64_t content = disk->log->nodes[entry->node].is_directory ? 1 : content_hash(&disk->files[entry->node]);
        hash += hash_bytes(mix(content) + (uint64_t)entry->dir, (const uint8_t *)entry->name, strlen(entry->name));
    }
    return hash;
}

/* ---- Writing ---- */

static void remove_all_in(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    CHECK(stream != NULL);
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type == DT_DIR) {
            int child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
            CHECK(child >= 0);
            remove_all_in(child);
            close(child);
        }
        CHECK(unlinkat(fd, entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0) == 0);
    }
    closedir(stream);
}

static void write_file(const struct file *file, int dir_fd, const char *name, mode_t mode)
{
    const uint8_t *bytes = file->pending_count > 0 ? file->chosen : file->base;
    size_t count = file->pending_count > 0 ? file->chosen_size : file->size;
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    CHECK(fd >= 0 && pwrite(fd, bytes, count, 0) == (ssize_t)count);
    close(fd);
}

static void write_tree(const struct disk *disk, uint32_t dir, int dir_fd)
{
    for (size_t i = 0; i < disk->chosen.count; i++) {
        const struct entry *entry = &disk->chosen.at[i];
        if (entry->dir != dir)
            continue;
        mode_t mode = disk->modes[entry->node];
        if (!disk->log->nodes[entry->node].is_directory) {
            write_file(&disk->files[entry->node], dir_fd, entry->name, mode);
            continue;
        }
        CHECK(mkdirat(dir_fd, entry->name, mode) == 0);
        int fd = openat(dir_fd, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0);
        write_tree(disk, entry->node, fd);
        close(fd);
    }
}

void disk_write(const struct disk *disk, const char *path)
{
    CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    remove_all_in(fd);
    write_tree(disk, DISK_ROOT, fd);
    close(fd);
}
