/*
 * disk_log.h — everything that a process does to files below a directory, in order and with its bytes: writes, syncs,
 * lengths, names, of all threads and libraries (LMDB's among them). disk_image.h makes of it what a crash may leave.
 *
 *     disk_log_start("/dev/shm/x");          // what lies there counts as on the disk
 *     settle_open("/dev/shm/x/data", …);     // …
 *     disk_log_mark(seq);                    // "acknowledged up to seq", at this place among the calls
 *     struct disk_log *log = disk_log_stop();
 *     disk_log_save(log, path);              // threads make another recording of another run: keep the one that failed
 *     disk_log_free(log);
 *
 * A program that is built with disk_log.c has its own pwrite(), fdatasync() … in front of the C library's, as with trap.c
 * (not both at once). While nothing is recorded they only pass on. One recording at a time. Calls are made and noted one
 * after the other, so the order is the one in which they took effect. What is written through a mapping is not seen: that is
 * store/lock.mdb, which LMDB makes anew when it is the first to open it.
 */
#ifndef TESTS_LIB_DISK_LOG_H
#define TESTS_LIB_DISK_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum disk_op {
    DISK_WRITE,      /* node, offset, count, bytes. With O_DSYNC a DISK_SYNC_RANGE follows */
    DISK_RESIZE,     /* node, offset: the new length; zeros where it grows */
    DISK_SYNC,       /* node: fdatasync, fsync */
    DISK_SYNC_RANGE, /* node, offset, count */
    DISK_SYNC_LOST,  /* node: a sync that failed: what it was to write is called clean, and no later one writes it */
    DISK_CREATE,     /* dir, name: node, a file or a directory, of this mode in `offset` */
    DISK_REMOVE,     /* dir, name: node */
    DISK_RENAME,     /* dir, name → to_dir, to: node */
    DISK_SYNC_NAMES, /* node: a directory */
    DISK_MARK,       /* offset: the test's own number */
};

#define DISK_ROOT 0u
#define DISK_NO_NODE UINT32_MAX

struct disk_call {
    enum disk_op op;
    uint32_t node, dir, to_dir;
    uint64_t offset;
    size_t count;
    uint8_t *bytes;
    char *name, *to; /* NULL where the call has none */
};

/* A file or directory, whatever its names. */
struct disk_node {
    bool is_directory;
    char *name; /* the last one it had in the recording; of DISK_ROOT "" */
    dev_t device;
    ino_t inode; /* 0: removed */
};

struct disk_log {
    struct disk_call *calls; /* a test may drop or move some: what another engine would have done */
    size_t count, capacity;
    size_t first; /* the calls before it make what lay there when the recording began */
    struct disk_node *nodes;
    uint32_t node_count, node_capacity;
};

/* All end the process with a message when they cannot do what they are told. */

void disk_log_start(const char *root);
struct disk_log *disk_log_stop(void);
void disk_log_free(struct disk_log *log); /* NULL is fine */
/* Nothing where nothing is recorded. */
void disk_log_mark(uint64_t value);

/*
 * While something is recorded, each call below the root is asked for first; `name` is the file's or the new name. 0: it is
 * made. An errno: it fails with it and is not made. DISK_FAULT_SHORT: a write takes half. A failed DISK_SYNC is noted as
 * DISK_SYNC_LOST. DISK_FAULT_DEAD: it fails, and nothing is noted: for a process that is no more. Called with the recording's lock held, from any thread. NULL: no call fails.
 */
#define DISK_FAULT_SHORT (-1)
#define DISK_FAULT_DEAD (-2)
typedef int (*disk_fault)(void *context, enum disk_op op, const char *name);
void disk_log_faults(disk_fault decide, void *context);

void disk_log_save(const struct disk_log *log, const char *path);
struct disk_log *disk_log_load(const char *path);

/* One line about a call, static: "write 0000.seg 4096+512". */
const char *disk_call_text(const struct disk_log *log, size_t index);

#endif
