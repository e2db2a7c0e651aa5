/*
 * sim_disk.h — the disk of a simulation: what is on it, what only the system's cache holds, and what goes wrong.
 *
 * The files are real ones below one directory (of /dev/shm: LMDB maps them). Every call on them comes through
 * sim_files.c, which may make it wait, fail or be the last one; here is remembered what a power cut may take back:
 * each sector that was written and not synced, each name that was made, moved or removed in a directory that was not
 * synced since.
 *
 *     sim_disk_begin(path);                       // an empty directory; it stays until sim_disk_end()
 *     sim_faults = (struct sim_faults){…};        // sim_settings and this may change at any time
 *     if (sim_life(…) == SIM_CRASHED)
 *         sim_disk_close();                       // descriptors and maps of the dead
 *     sim_disk_cut_power(&loss);
 */
#ifndef TESTS_LIB_SIM_DISK_H
#define TESTS_LIB_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sim_call {
    SIM_OPEN = 1,
    SIM_READ = 2,
    SIM_WRITE = 4,
    SIM_SYNC = 8,
    SIM_TRUNCATE = 16,
    SIM_NAME = 32, /* rename, unlink, mkdir, and open where it creates */
    SIM_MAP = 64,
    SIM_ALL_CALLS = 127,
};

struct sim_faults {
    unsigned calls;              /* of enum sim_call: that may fail */
    uint64_t index;              /* the one that fails, counted from now; 0: none */
    unsigned per_mille;          /* any of them */
    bool is_full;                /* what takes space finds none */
    unsigned harmless_per_mille; /* interrupted, or done half: to be gone on with */
    unsigned crash_calls;        /* of enum sim_call: those among which one is the last */
    uint64_t crash_index;        /* which, counted from now; 0: none */
};
extern struct sim_faults sim_faults;
extern uint64_t sim_fault_count; /* faults so far that are not harmless */

void sim_disk_begin(const char *path);
void sim_disk_end(void);
/* Takes away what the threads of a life that crashed had open. */
void sim_disk_close(void);
int sim_disk_open_count(void); /* descriptors and maps of the life */

/* What of that which was not synced a power cut leaves: of each sector and each directory's changes. */
struct sim_loss {
    unsigned keeps_per_cent; /* of units */
    unsigned unit_bytes;     /* 512 or 4096 */
};
void sim_disk_cut_power(const struct sim_loss *loss);
/* What lies there, the names and bytes of all files that have any meaning, as a number. */
uint64_t sim_disk_hash(void);

/* ---- For sim_files.c ---- */

#define SIM_SECTOR_BYTES 512u

struct sim_verdict {
    int error;     /* errno, 0: none */
    bool is_half;  /* less than asked for */
    bool is_last;  /* sim_crash() behind it, or in its midst */
    bool is_after; /* it fails, but has been done */
};
/* Counts a call, lets it wait, and says what is to become of it. */
struct sim_verdict sim_disk_judge(enum sim_call call, bool takes_space);

/* By descriptor; -1: none of ours. */
struct sim_file;
struct sim_file *sim_file_of(int fd);
bool sim_fd_is_synchronous(int fd);
void sim_fd_opened(int fd, int flags, int dir_fd, const char *path, bool is_new);
void sim_fd_closed(int fd);
void sim_map_made(void *at, size_t bytes);
void sim_map_gone(void *at);

void sim_file_before_write(struct sim_file *file, uint64_t offset, uint64_t count);
void sim_file_before_truncate(struct sim_file *file, uint64_t bytes);
/* What was written there is on the disk. */
void sim_file_wrote_through(struct sim_file *file, uint64_t offset, uint64_t count);
/* failed: some of it is, and the rest the cache calls clean. */
void sim_file_synced(struct sim_file *file, bool failed);

/* Before a name changes: what it holds must be found again. */
void sim_name_made(int dir_fd, const char *path, bool is_directory);
unsigned sim_name_keep(int dir_fd, const char *path); /* a number for the next two; 0: nothing was there */
void sim_name_forget(unsigned kept);
void sim_name_removed(int dir_fd, const char *path, unsigned kept);
void sim_name_moved(int dir_fd, const char *from, const char *to, unsigned kept);
void sim_dir_synced(int fd);

#endif
