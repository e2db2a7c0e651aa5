/*
 * disk_image.h — what a crash may leave of what disk_log.h has recorded, at any call.
 *
 *     struct disk *disk = disk_new(log);
 *     disk_play(disk, i);                                   // the calls before i have been made
 *     for (uint64_t n = 0; n < CHOICES; n++) {
 *         struct disk_choice choice = disk_choice(seed, n);
 *         uint64_t hash = disk_choose(disk, &choice);       // the same hash: the same directory
 *         disk_write(disk, path);                           // what is in it goes first
 *     }
 *
 * The disk: what was synced is there. Of the writes to a file since its last sync each sector of 512 bytes has the content
 * behind any of them, or behind none; the last write of all may have come only to some byte of it. The length of a file is
 * one that it had since then, or ends with the last sector that arrived. A cut (a shorter length) has happened wholly or not.
 * A name that was given, changed or taken since its directory's last sync is there or not, a rename wholly or not, and that
 * has nothing to do with the file's own content: it may be empty or whole under a name that is there, and synced and lost.
 */
#ifndef TESTS_LIB_DISK_IMAGE_H
#define TESTS_LIB_DISK_IMAGE_H

#include "tests/lib/disk_log.h"

#define DISK_SECTOR_BYTES 512u

enum disk_data {
    DISK_DATA_NONE,     /* nothing that was not synced */
    DISK_DATA_ALL,      /* the caches' content: what kill -9 leaves */
    DISK_DATA_PREFIX,   /* all up to some call, nothing behind it */
    DISK_DATA_SECTORS,  /* any sectors, as they are in the cache */
    DISK_DATA_VERSIONS, /* any sectors, as they were behind any write */
    DISK_DATA_CALLS,    /* the sectors of any writes */
    DISK_DATA_ONE_LOST, /* all but the sectors of one call */
    DISK_DATA_FILES,    /* of each file all or nothing */
    DISK_DATA_KINDS,
};
enum disk_torn { DISK_TORN_NOT, DISK_TORN_SECTOR, DISK_TORN_BYTE, DISK_TORN_KINDS };
enum disk_sizes { DISK_SIZE_FITS, DISK_SIZE_NEW, DISK_SIZE_OLD, DISK_SIZE_ANY, DISK_SIZE_KINDS };
enum disk_names {
    DISK_NAMES_NONE,
    DISK_NAMES_ALL,
    DISK_NAMES_PREFIX,   /* all up to some call */
    DISK_NAMES_PREFIXES, /* the same, for each directory alone */
    DISK_NAMES_ANY,      /* any of them */
    DISK_NAMES_KINDS,
};

struct disk_choice {
    enum disk_data data;
    enum disk_torn torn;
    enum disk_sizes sizes;
    enum disk_names names;
    uint64_t seed; /* of what the kinds leave open */
};

/* The first DISK_CHOICES_FIXED are the plain ones (nothing, all, torn …); behind them everything is drawn from both numbers. */
#define DISK_CHOICES_FIXED 8u
struct disk_choice disk_choice(uint64_t seed, uint64_t number);

struct disk;

/* The log is borrowed. */
struct disk *disk_new(const struct disk_log *log);
void disk_free(struct disk *disk); /* NULL is fine */
/* The calls before `end` have been made; from the beginning again where `end` lies before what was played. */
void disk_play(struct disk *disk, size_t end);
/* Unsynced writes, lengths and names: 0 means that every choice gives the same. */
size_t disk_pending_count(const struct disk *disk);
/* Decides; the hash is of names and contents. */
uint64_t disk_choose(struct disk *disk, const struct disk_choice *choice);
/* What was decided into `path`, a directory, made where it is absent; it holds nothing else afterwards. */
void disk_write(const struct disk *disk, const char *path);

#endif
