/*
 * sim_disk.c — what a power cut may take back: sectors and names.
 *
 * Invariants: of a sector that differs from the disk, `before` has what is on the disk. A dirty one the next sync
 * writes; a lost one a sync that failed has called clean, so that no later sync writes it unless it is written again.
 * Changes of names are kept in order, and a power cut leaves a prefix of each directory's. Calls in here are the
 * system's own: nothing of them is simulated.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/lib/sim_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "journal/base/crc32c.h"
#include "tests/lib/sim.h"
#include "tests/lib/sim_raw.h"

enum { FILES_MAX = 512, DIRS_MAX = 64, FDS_MAX = 1024, MAPS_MAX = 64, CHANGES_MAX = 1024, NAME_BYTES = 64 };

struct sim_file {
    ino_t inode;
    int fd;              /* our own, for putting sectors back */
    uint64_t disk_bytes; /* of the file, as it is on the disk */
    uint32_t *before;    /* of each sector: index + 1 into the pool, 0: it is clean */
    bool *is_lost;
    size_t capacity;     /* sectors of the two */
    uint32_t *differing; /* sectors */
    size_t differing_count, differing_capacity;
};

struct dir {
    ino_t inode;
    int fd;
};

enum change_kind { MADE_FILE, MADE_DIRECTORY, REMOVED, MOVED };
struct change {
    enum change_kind kind;
    int dir;
    char name[NAME_BYTES], to[NAME_BYTES];
    unsigned kept; /* name in the attic of what a name held before; 0: nothing */
};

static struct {
    char path[512];
    int attic_fd;
    unsigned kept_count;
    struct sim_file files[FILES_MAX];
    int file_count;
    struct dir dirs[DIRS_MAX];
    int dir_count;
    struct change changes[CHANGES_MAX];
    int change_count;
    struct {
        bool is_open, is_synchronous;
        int file; /* -1: none */
    } fds[FDS_MAX];
    int fd_end; /* behind the highest */
    struct {
        void *at;
        size_t bytes;
    } maps[MAPS_MAX];
    /* sectors as they are on the disk */
    uint8_t (*pool)[SIM_SECTOR_BYTES];
    uint32_t pool_count, pool_capacity;
    uint32_t *unused;
    uint32_t unused_count;
} disk;

static void must(bool is_so, const char *what)
{
    if (!is_so)
        sim_fail("the simulation itself: %s: %s", what, strerror(errno));
}

/* ---- The pool ---- */

static uint32_t pool_take(void)
{
    if (disk.unused_count > 0)
        return disk.unused[--disk.unused_count];
    if (disk.pool_count == disk.pool_capacity) {
        disk.pool_capacity = disk.pool_capacity == 0 ? 4096 : disk.pool_capacity * 2;
        disk.pool = realloc(disk.pool, disk.pool_capacity * sizeof *disk.pool);
        disk.unused = realloc(disk.unused, disk.pool_capacity * sizeof *disk.unused);
        must(disk.pool != NULL && disk.unused != NULL, "memory");
    }
    return disk.pool_count++;
}

/* ---- Sectors ---- */

static uint64_t bytes_of(int fd)
{
    struct stat st;
    must(fstat(fd, &st) == 0, "fstat");
    return (uint64_t)st.st_size;
}

static void sectors_reserve(struct sim_file *file, size_t count)
{
    if (count <= file->capacity)
        return;
    size_t capacity = file->capacity == 0 ? 64 : file->capacity;
    while (capacity < count)
        capacity *= 2;
    file->before = realloc(file->before, capacity * sizeof *file->before);
    file->is_lost = realloc(file->is_lost, capacity * sizeof *file->is_lost);
    must(file->before != NULL && file->is_lost != NULL, "memory");
    memset(file->before + file->capacity, 0, (capacity - file->capacity) * sizeof *file->before);
    memset(file->is_lost + file->capacity, 0, (capacity - file->capacity) * sizeof *file->is_lost);
    file->capacity = capacity;
}

static void differs(struct sim_file *file, uint32_t sector)
{
    if (file->differing_count == file->differing_capacity) {
        file->differing_capacity = file->differing_capacity == 0 ? 64 : file->differing_capacity * 2;
        file->differing = realloc(file->differing, file->differing_capacity * sizeof *file->differing);
        must(file->differing != NULL, "memory");
    }
    file->differing[file->differing_count++] = sector;
}

/* The sectors from `first` on are about to differ: keeps what is in them, unless it has been kept. */
static void sectors_keep(struct sim_file *file, uint64_t first, uint64_t end)
{
    static uint8_t now[64][SIM_SECTOR_BYTES];
    sectors_reserve(file, (size_t)end);
    for (uint64_t at = first; at < end;) {
        uint64_t count = end - at < 64 ? end - at : 64;
        ssize_t taken = raw_pread(file->fd, now, count * SIM_SECTOR_BYTES, (off_t)(at * SIM_SECTOR_BYTES));
        must(taken >= 0, "pread");
        memset((uint8_t *)now + taken, 0, count * SIM_SECTOR_BYTES - (size_t)taken);
        for (uint64_t i = 0; i < count; i++, at++) {
            file->is_lost[at] = false;
            if (file->before[at] != 0)
                continue;
            uint32_t slot = pool_take();
            memcpy(disk.pool[slot], now[i], SIM_SECTOR_BYTES);
            file->before[at] = slot + 1;
            differs(file, (uint32_t)at);
        }
    }
}

void sim_file_before_write(struct sim_file *file, uint64_t offset, uint64_t count)
{
    if (count > 0)
        sectors_keep(file, offset / SIM_SECTOR_BYTES, (offset + count + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES);
}

void sim_file_before_truncate(struct sim_file *file, uint64_t bytes)
{
    uint64_t now = bytes_of(file->fd);
    if (bytes < now)
        sim_file_before_write(file, bytes, now - bytes);
}

static void sector_clean(struct sim_file *file, uint32_t sector)
{
    disk.unused[disk.unused_count++] = file->before[sector] - 1;
    file->before[sector] = 0;
    file->is_lost[sector] = false;
}

void sim_file_wrote_through(struct sim_file *file, uint64_t offset, uint64_t count)
{
    uint64_t first = offset / SIM_SECTOR_BYTES, end = (offset + count + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES;
    size_t left = 0;
    for (size_t i = 0; i < file->differing_count; i++) {
        uint32_t sector = file->differing[i];
        if (sector >= first && sector < end)
            sector_clean(file, sector);
        else
            file->differing[left++] = sector;
    }
    file->differing_count = left;
    if (file->disk_bytes < offset + count)
        file->disk_bytes = offset + count;
}

void sim_file_synced(struct sim_file *file, bool failed)
{
    size_t left = 0;
    for (size_t i = 0; i < file->differing_count; i++) {
        uint32_t sector = file->differing[i];
        if (!file->is_lost[sector] && failed && sim_random(SIM_CHANCE, 2) == 0)
            file->is_lost[sector] = true;
        if (file->is_lost[sector])
            file->differing[left++] = sector;
        else
            sector_clean(file, sector);
    }
    file->differing_count = left;
    if (!failed)
        file->disk_bytes = bytes_of(file->fd);
}

/* Whether the unit with this sector comes to the disk: all of its sectors or none. */
static bool unit_is_kept(const struct sim_loss *loss, uint64_t salt, uint32_t sector)
{
    uint64_t value = (salt + sector / (loss->unit_bytes / SIM_SECTOR_BYTES)) * UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (value >> 32) % 100 < loss->keeps_per_cent;
}

static void file_lose(struct sim_file *file, const struct sim_loss *loss)
{
    uint64_t now = bytes_of(file->fd), kept_end = 0, salt = sim_random(SIM_CHANCE, UINT64_MAX);
    bool was_cut = now < file->disk_bytes, cut_is_kept = sim_random(SIM_CHANCE, 100) < loss->keeps_per_cent;
    for (size_t i = 0; i < file->differing_count; i++) {
        uint32_t sector = file->differing[i];
        uint64_t offset = (uint64_t)sector * SIM_SECTOR_BYTES, end = offset + SIM_SECTOR_BYTES;
        bool is_kept = !file->is_lost[sector] && unit_is_kept(loss, salt, sector);
        if (is_kept && offset < now) {
            kept_end = end > kept_end ? end : kept_end;
        } else {
            ssize_t taken = raw_pwrite(file->fd, disk.pool[file->before[sector] - 1], SIM_SECTOR_BYTES, (off_t)offset);
            must(taken == SIM_SECTOR_BYTES, "pwrite");
        }
        sector_clean(file, sector);
    }
    file->differing_count = 0;
    uint64_t bytes = file->disk_bytes;
    if (was_cut)
        bytes = cut_is_kept ? now : file->disk_bytes;
    else if (cut_is_kept)
        bytes = now;
    else if (kept_end > bytes)
        bytes = kept_end < now ? kept_end : now;
    must(raw_ftruncate(file->fd, (off_t)bytes) == 0, "ftruncate");
    file->disk_bytes = bytes;
}

/* ---- Names ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* The directory that holds a path's last part; opened by us when it is met the first time. */
static int dir_of(int dir_fd, const char *path)
{
    char parent[512] = ".";
    struct stat st;
    const char *last = last_part(path);
    if (last != path)
        snprintf(parent, sizeof parent, "%.*s", (int)(last - path - 1), path);
    must(fstatat(dir_fd, parent, &st, 0) == 0, path);
    for (int i = 0; i < disk.dir_count; i++)
        if (disk.dirs[i].inode == st.st_ino)
            return i;
    must(disk.dir_count < DIRS_MAX, "too many directories");
    int fd = raw_openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    must(fd >= 0, parent);
    disk.dirs[disk.dir_count] = (struct dir){st.st_ino, fd};
    return disk.dir_count++;
}

static struct change *change_add(enum change_kind kind, int dir_fd, const char *path)
{
    must(disk.change_count < CHANGES_MAX, "too many changes of names");
    struct change *change = &disk.changes[disk.change_count++];
    *change = (struct change){.kind = kind, .dir = dir_of(dir_fd, path)};
    snprintf(change->name, NAME_BYTES, "%s", last_part(path));
    return change;
}

static void attic_name(unsigned kept, char ret_name[16])
{
    snprintf(ret_name, 16, "%u", kept);
}

void sim_name_made(int dir_fd, const char *path, bool is_directory)
{
    (void)change_add(is_directory ? MADE_DIRECTORY : MADE_FILE, dir_fd, path);
}

unsigned sim_name_keep(int dir_fd, const char *path)
{
    char name[16];
    struct stat st;
    if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return 0;
    attic_name(++disk.kept_count, name);
    must(linkat(dir_fd, path, disk.attic_fd, name, 0) == 0, "linkat");
    return disk.kept_count;
}

void sim_name_forget(unsigned kept)
{
    char name[16];
    attic_name(kept, name);
    if (kept != 0)
        must(raw_unlinkat(disk.attic_fd, name, 0) == 0, "unlinkat");
}

void sim_name_removed(int dir_fd, const char *path, unsigned kept)
{
    change_add(REMOVED, dir_fd, path)->kept = kept;
}

void sim_name_moved(int dir_fd, const char *from, const char *to, unsigned kept)
{
    struct change *change = change_add(MOVED, dir_fd, from);
    snprintf(change->to, NAME_BYTES, "%s", last_part(to));
    change->kept = kept;
}

void sim_dir_synced(int fd)
{
    int dir = dir_of(fd, "."), left = 0;
    for (int i = 0; i < disk.change_count; i++) {
        if (disk.changes[i].dir == dir)
            sim_name_forget(disk.changes[i].kept);
        else
            disk.changes[left++] = disk.changes[i];
    }
    disk.change_count = left;
}

/* A directory of ours and what is in it. */
static void remove_all(int dir_fd, const char *name, bool itself)
{
    struct dirent *entry;
    int fd = raw_openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    must(fd >= 0, name);
    DIR *dir = fdopendir(fd);
    must(dir != NULL, name);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (raw_unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            remove_all(dirfd(dir), entry->d_name, true);
    }
    closedir(dir);
    if (itself)
        must(raw_unlinkat(dir_fd, name, AT_REMOVEDIR) == 0, name);
}

static void attic_return(const struct change *change, const char *name)
{
    char attic[16];
    attic_name(change->kept, attic);
    if (change->kept != 0)
        must(raw_renameat(disk.attic_fd, attic, disk.dirs[change->dir].fd, name) == 0, "renameat");
}

static void change_undo(const struct change *change)
{
    int fd = disk.dirs[change->dir].fd;
    sim_note("name lost: %d %s %s", (int)change->kind, change->name, change->to);
    switch (change->kind) {
    case MADE_FILE: must(raw_unlinkat(fd, change->name, 0) == 0, change->name); break;
    case MADE_DIRECTORY: remove_all(fd, change->name, true); break;
    case REMOVED: attic_return(change, change->name); break;
    case MOVED:
        must(raw_renameat(fd, change->to, fd, change->name) == 0, change->to);
        attic_return(change, change->to);
        break;
    }
}

static void names_lose(const struct sim_loss *loss)
{
    bool is_lost[CHANGES_MAX] = {false};
    for (int dir = 0; dir < disk.dir_count; dir++) {
        bool goes_on = true;
        for (int i = 0; i < disk.change_count; i++) {
            if (disk.changes[i].dir != dir)
                continue;
            goes_on = goes_on && sim_random(SIM_CHANCE, 100) < loss->keeps_per_cent;
            is_lost[i] = !goes_on;
        }
    }
    for (int i = disk.change_count - 1; i >= 0; i--) {
        if (is_lost[i])
            change_undo(&disk.changes[i]);
        else
            sim_name_forget(disk.changes[i].kept);
    }
    disk.change_count = 0;
}

void sim_disk_cut_power(const struct sim_loss *loss)
{
    size_t differing = 0;
    for (int i = 0; i < disk.file_count; i++)
        differing += disk.files[i].differing_count;
    sim_note("power cut: %zu sectors and %d names are not on the disk; %u %% of %u bytes stay", differing,
             disk.change_count, loss->keeps_per_cent, loss->unit_bytes);
    for (int i = 0; i < disk.file_count; i++)
        file_lose(&disk.files[i], loss);
    names_lose(loss);
}

/* ---- Descriptors and maps ---- */

struct sim_file *sim_file_of(int fd)
{
    return fd >= 0 && fd < FDS_MAX && disk.fds[fd].is_open && disk.fds[fd].file >= 0 ? &disk.files[disk.fds[fd].file]
                                                                                     : NULL;
}

bool sim_fd_is_synchronous(int fd)
{
    return disk.fds[fd].is_synchronous;
}

static int file_meet(int fd, ino_t inode, bool is_new)
{
    char path[64];
    for (int i = 0; i < disk.file_count; i++)
        if (disk.files[i].inode == inode)
            return i;
    must(disk.file_count < FILES_MAX, "too many files");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct sim_file *file = &disk.files[disk.file_count];
    *file = (struct sim_file){.inode = inode, .fd = raw_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0)};
    must(file->fd >= 0, path);
    file->disk_bytes = is_new ? 0 : bytes_of(file->fd);
    return disk.file_count++;
}

void sim_fd_opened(int fd, int flags, int dir_fd, const char *path, bool is_new)
{
    struct stat st;
    must(fd < FDS_MAX && fstat(fd, &st) == 0, "a descriptor");
    if (is_new)
        sim_name_made(dir_fd, path, false);
    disk.fds[fd].is_open = true;
    disk.fds[fd].is_synchronous = (flags & O_DSYNC) != 0;
    disk.fds[fd].file = S_ISREG(st.st_mode) ? file_meet(fd, st.st_ino, is_new) : -1;
    if (disk.fd_end <= fd)
        disk.fd_end = fd + 1;
}

void sim_fd_closed(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        disk.fds[fd].is_open = false;
}

void sim_map_made(void *at, size_t bytes)
{
    int i = 0;
    while (i < MAPS_MAX && disk.maps[i].at != NULL)
        i++;
    must(i < MAPS_MAX, "too many maps");
    disk.maps[i].at = at;
    disk.maps[i].bytes = bytes;
}

void sim_map_gone(void *at)
{
    for (int i = 0; i < MAPS_MAX; i++)
        if (disk.maps[i].at == at)
            disk.maps[i].at = NULL;
}

int sim_disk_open_count(void)
{
    int count = 0;
    for (int i = 0; i < disk.fd_end; i++)
        count += disk.fds[i].is_open;
    for (int i = 0; i < MAPS_MAX; i++)
        count += disk.maps[i].at != NULL;
    return count;
}

void sim_disk_close(void)
{
    for (int i = 0; i < MAPS_MAX; i++) {
        if (disk.maps[i].at != NULL)
            raw_munmap(disk.maps[i].at, disk.maps[i].bytes);
        disk.maps[i].at = NULL;
    }
    for (int i = 0; i < disk.fd_end; i++) {
        if (disk.fds[i].is_open)
            raw_close(i);
        disk.fds[i].is_open = false;
    }
    disk.fd_end = 0;
}

/* ---- The whole ---- */

void sim_disk_begin(const char *path)
{
    char attic[600];
    snprintf(disk.path, sizeof disk.path, "%s", path);
    snprintf(attic, sizeof attic, "%s/attic", path);
    disk.file_count = disk.dir_count = disk.change_count = disk.fd_end = 0;
    disk.pool_count = disk.unused_count = 0;
    disk.kept_count = 0;
    must(raw_mkdirat(AT_FDCWD, attic, 0700) == 0, attic);
    disk.attic_fd = raw_openat(AT_FDCWD, attic, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    must(disk.attic_fd >= 0, attic);
}

void sim_disk_end(void)
{
    sim_disk_close();
    for (int i = 0; i < disk.file_count; i++) {
        raw_close(disk.files[i].fd);
        free(disk.files[i].before);
        free(disk.files[i].is_lost);
        free(disk.files[i].differing);
    }
    for (int i = 0; i < disk.dir_count; i++)
        raw_close(disk.dirs[i].fd);
    raw_close(disk.attic_fd);
    remove_all(AT_FDCWD, disk.path, false);
}

static uint64_t hash_directory(int dir_fd, const char *name, uint64_t salt)
{
    static uint8_t bytes[1 << 16];
    uint64_t sum = 0; /* of all entries, in whatever order they come */
    struct dirent *entry;
    DIR *dir = fdopendir(raw_openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    must(dir != NULL, name);
    while ((entry = readdir(dir)) != NULL) {
        uint64_t of_name = salt * 31 + crc32c(0, entry->d_name, strlen(entry->d_name));
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lock.mdb") == 0 || strcmp(entry->d_name, "attic") == 0)
            continue;
        if (entry->d_type == DT_DIR) {
            sum += hash_directory(dirfd(dir), entry->d_name, of_name);
            continue;
        }
        int fd = raw_openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC, 0);
        uint32_t crc = 0;
        ssize_t taken;
        for (off_t at = 0; (taken = raw_pread(fd, bytes, sizeof bytes, at)) > 0; at += taken)
            crc = crc32c(crc, bytes, (size_t)taken);
        raw_close(fd);
        sum += (of_name * UINT64_C(0x9e3779b97f4a7c15)) ^ crc;
    }
    closedir(dir);
    return sum;
}

uint64_t sim_disk_hash(void)
{
    return hash_directory(AT_FDCWD, disk.path, 1);
}
