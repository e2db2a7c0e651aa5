/*
 * test_disk_image.c — the recorder and the disk made of its recordings: what was synced is there, of what was not all that may
 * be and nothing else. What examines crash states stands on it.
 */
#include "tests/lib/disk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(disk_image);

enum { DRAWS = 200 };

static char base[TEMPDIR_BYTES], root[TEMPDIR_PATH_BYTES], left[TEMPDIR_PATH_BYTES];
static struct disk_log *disk_log;
static struct disk *disk;

static void setup(void)
{
    tempdir_make(base);
    tempdir_join(root, base, "root");
    tempdir_join(left, base, "left");
    cr_assert(mkdir(root, 0700) == 0);
}

static void teardown(void)
{
    disk_free(disk);
    disk_log_free(disk_log);
    disk_log_faults(NULL, NULL);
    tempdir_remove(base);
}

#define FIXTURE .init = setup, .fini = teardown

static const char *at(const char *directory, const char *name)
{
    static char path[4][TEMPDIR_PATH_BYTES];
    static unsigned turn;
    turn = (turn + 1) % 4;
    tempdir_join(path[turn], directory, name);
    return path[turn];
}

static int make(const char *name, int flags)
{
    int fd = open(at(root, name), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
    cr_assert_geq(fd, 0);
    return fd;
}

static void fill(int fd, char byte, size_t count, off_t offset)
{
    char bytes[4096];
    cr_assert_leq(count, sizeof bytes);
    memset(bytes, byte, count);
    cr_assert_eq(pwrite(fd, bytes, count, offset), (ssize_t)count);
}

static void sync_root(void)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(fd >= 0 && fsync(fd) == 0);
    close(fd);
}

/* The recording ends; all of it is played. */
static void play_all(void)
{
    disk_log = disk_log_stop();
    disk = disk_new(disk_log);
    disk_play(disk, disk_log->count);
}

static void leave(const struct disk_choice *choice)
{
    (void)disk_choose(disk, choice);
    disk_write(disk, left);
}

/* The plain choices. */
static void leave_nothing(void)
{
    leave(&(struct disk_choice){.data = DISK_DATA_NONE, .names = DISK_NAMES_NONE});
}

static void leave_all(void)
{
    leave(&(struct disk_choice){.data = DISK_DATA_ALL, .names = DISK_NAMES_ALL});
}

static bool is_left(const char *name)
{
    return access(at(left, name), F_OK) == 0;
}

/* "3a2b": so many of these bytes; NUL is written 0. */
static const char *content(const char *name)
{
    static char text[256];
    size_t count, used = 0;
    unsigned char *bytes = tree_read(at(left, name), &count);
    text[0] = '\0';
    for (size_t i = 0, j; i < count; i = j) {
        for (j = i; j < count && bytes[j] == bytes[i]; j++)
            ;
        used += (size_t)snprintf(text + used, sizeof text - used, "%zu%c", j - i, bytes[i] == 0 ? '0' : bytes[i]);
    }
    free(bytes);
    return text;
}

/* ---- What is surely there ---- */

Test(disk_image, what_was_synced_is_there_and_nothing_else_need_be, FIXTURE)
{
    disk_log_start(root);
    int fd = make("a", 0);
    fill(fd, 'x', 1000, 0);
    cr_assert(fdatasync(fd) == 0);
    sync_root();
    fill(fd, 'y', 600, 500);
    close(make("b", 0));
    play_all();
    leave_nothing();
    cr_assert_str_eq(content("a"), "1000x");
    cr_assert_not(is_left("b"));
    leave_all();
    cr_assert_str_eq(content("a"), "500x600y");
    cr_assert_str_eq(content("b"), "");
    close(fd);
}

Test(disk_image, content_and_name_reach_the_disk_apart, FIXTURE)
{
    disk_log_start(root);
    int synced = make("synced", 0), named = make("named", 0);
    fill(synced, 's', 10, 0);
    fill(named, 'n', 10, 0);
    cr_assert(fsync(synced) == 0);
    play_all();
    leave_nothing();
    cr_assert(!is_left("synced") && !is_left("named"), "a synced file has its name by the directory's sync");
    leave(&(struct disk_choice){.data = DISK_DATA_NONE, .names = DISK_NAMES_ALL});
    cr_assert_str_eq(content("synced"), "10s");
    cr_assert_str_eq(content("named"), "");
    leave(&(struct disk_choice){.data = DISK_DATA_NONE, .sizes = DISK_SIZE_NEW, .names = DISK_NAMES_ALL});
    cr_assert_str_eq(content("named"), "100");
    close(synced);
    close(named);
}

Test(disk_image, a_write_with_o_dsync_is_there_when_it_returns, FIXTURE)
{
    disk_log_start(root);
    int fd = make("a", 0), direct = make("a", O_DSYNC);
    sync_root();
    fill(fd, 'x', 512, 512);
    fill(direct, 'd', 100, 0);
    play_all();
    leave_nothing();
    cr_assert_str_eq(content("a"), "100d");
    leave_all();
    cr_assert_str_eq(content("a"), "100d4120512x");
    disk_play(disk, disk_log->count - 1);
    leave_nothing();
    cr_assert_str_eq(content("a"), "", "before it returns it may be there or not");
    close(fd);
    close(direct);
}

Test(disk_image, an_older_write_does_not_come_back_over_a_synced_one, FIXTURE)
{
    disk_log_start(root);
    int fd = make("a", 0), direct = make("a", O_DSYNC);
    sync_root();
    fill(fd, 'x', 2048, 0);
    fill(direct, 'd', 512, 512);
    play_all();
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        leave(&(struct disk_choice){.data = DISK_DATA_VERSIONS, .sizes = DISK_SIZE_NEW, .seed = seed});
        cr_assert_not_null(strstr(content("a"), "512d"), "%s", content("a"));
    }
    close(fd);
    close(direct);
}

static int fail_every_sync(void *context, enum disk_op op, const char *name)
{
    (void)context, (void)name;
    return op == DISK_SYNC ? EIO : 0;
}

Test(disk_image, a_failed_sync_makes_later_ones_lie, FIXTURE)
{
    int fd;
    disk_log_start(root);
    fd = make("a", 0);
    sync_root();
    fill(fd, 'x', 512, 0);
    disk_log_faults(fail_every_sync, NULL);
    cr_assert(fdatasync(fd) == -1);
    disk_log_faults(NULL, NULL);
    fill(fd, 'y', 512, 1024);
    cr_assert(fdatasync(fd) == 0);
    play_all();
    leave_nothing();
    cr_assert_str_eq(content("a"), "10240512y");
    leave_all();
    cr_assert_str_eq(content("a"), "512x5120512y");
    close(fd);
}

/* ---- What may be there ---- */

/* Whether one of many draws leaves this content, and each leaves one of those. */
static void expect_contents(struct disk_choice choice, const char *const *contents, size_t count)
{
    bool met[16] = {false};
    for (choice.seed = 0; choice.seed < DRAWS; choice.seed++) {
        leave(&choice);
        size_t i = 0;
        while (i < count && strcmp(content("a"), contents[i]) != 0)
            i++;
        cr_assert_lt(i, count, "'%s' cannot be", content("a"));
        met[i] = true;
    }
    for (size_t i = 0; i < count; i++)
        cr_assert(met[i], "'%s' never came", contents[i]);
}
#define CONTENTS(...) ((const char *const[]){__VA_ARGS__}), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static int make_two_sectors(void)
{
    disk_log_start(root);
    int fd = make("a", 0);
    sync_root();
    fill(fd, 'o', 1024, 0);
    cr_assert(fdatasync(fd) == 0);
    return fd;
}

Test(disk_image, any_sectors_of_what_is_not_synced, FIXTURE)
{
    int fd = make_two_sectors();
    fill(fd, 'n', 1024, 0);
    play_all();
    expect_contents((struct disk_choice){.data = DISK_DATA_SECTORS},
                    CONTENTS("1024o", "512o512n", "512n512o", "1024n"));
    close(fd);
}

Test(disk_image, sectors_have_the_content_behind_any_write, FIXTURE)
{
    int fd = make_two_sectors();
    fill(fd, 'n', 600, 0);
    fill(fd, 'm', 100, 0);
    play_all();
    expect_contents((struct disk_choice){.data = DISK_DATA_VERSIONS},
                    CONTENTS("1024o", "512o88n424o", "512n512o", "600n424o", "100m412n512o", "100m500n424o"));
    /* The sector of the second write has the first in it. */
    expect_contents((struct disk_choice){.data = DISK_DATA_CALLS},
                    CONTENTS("1024o", "600n424o", "100m412n512o", "100m500n424o"));
    expect_contents((struct disk_choice){.data = DISK_DATA_PREFIX}, CONTENTS("1024o", "600n424o", "100m500n424o"));
    expect_contents((struct disk_choice){.data = DISK_DATA_ONE_LOST}, CONTENTS("1024o", "600n424o"));
    close(fd);
}

Test(disk_image, the_last_write_is_torn_at_any_byte_and_no_other, FIXTURE)
{
    int fd = make_two_sectors();
    fill(fd, 'n', 10, 0);
    fill(fd, 'm', 3, 100);
    play_all();
    expect_contents((struct disk_choice){.data = DISK_DATA_ALL, .torn = DISK_TORN_BYTE},
                    CONTENTS("10n1014o", "10n90o1m923o", "10n90o2m922o"));
    fill(fd, 'm', 3, 200); /* not recorded */
    expect_contents((struct disk_choice){.data = DISK_DATA_ALL, .torn = DISK_TORN_SECTOR}, CONTENTS("10n1014o"));
    close(fd);
}

Test(disk_image, a_file_may_be_longer_or_shorter_than_what_arrived, FIXTURE)
{
    int fd = make_two_sectors();
    fill(fd, 'n', 512, 1024);
    play_all();
    expect_contents((struct disk_choice){.data = DISK_DATA_NONE, .sizes = DISK_SIZE_ANY},
                    CONTENTS("1024o", "1024o5120"));
    expect_contents((struct disk_choice){.data = DISK_DATA_ALL, .sizes = DISK_SIZE_ANY},
                    CONTENTS("1024o", "1024o512n"));
    expect_contents((struct disk_choice){.data = DISK_DATA_ALL, .sizes = DISK_SIZE_OLD}, CONTENTS("1024o"));
    close(fd);
}

Test(disk_image, a_cut_has_happened_or_not, FIXTURE)
{
    int fd = make_two_sectors();
    cr_assert(ftruncate(fd, 700) == 0);
    fill(fd, 'n', 10, 900);
    play_all();
    expect_contents((struct disk_choice){.data = DISK_DATA_ALL}, CONTENTS("700o200010n"));
    expect_contents((struct disk_choice){.data = DISK_DATA_NONE, .sizes = DISK_SIZE_ANY},
                    CONTENTS("1024o", "700o", "700o2100"));
    close(fd);
}

/* ---- Names ---- */

Test(disk_image, a_rename_happens_wholly_or_not, FIXTURE)
{
    unsigned old = 0, new = 0;
    disk_log_start(root);
    close(make("a", 0));
    int fd = make("b", 0);
    fill(fd, 'b', 5, 0);
    cr_assert(fsync(fd) == 0);
    sync_root();
    cr_assert(rename(at(root, "b"), at(root, "a")) == 0);
    play_all();
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        leave(&(struct disk_choice){.names = DISK_NAMES_ANY, .seed = seed});
        cr_assert(is_left("a"), "the name is never without a file");
        bool is_new = !is_left("b");
        cr_assert_str_eq(content("a"), is_new ? "5b" : "");
        new += is_new;
        old += !is_new;
    }
    cr_assert(old > 0 && new > 0);
    close(fd);
}

Test(disk_image, names_go_with_their_directory_and_its_sync, FIXTURE)
{
    disk_log_start(root);
    cr_assert(mkdir(at(root, "d"), 0700) == 0);
    close(make("d/x", 0));
    int fd = open(at(root, "d"), O_RDONLY | O_DIRECTORY);
    cr_assert(fd >= 0 && fsync(fd) == 0);
    close(make("y", 0));
    play_all();
    leave_nothing();
    cr_assert_not(is_left("d"), "its name is in a directory that was not synced");
    bool x = false, y = false;
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        leave(&(struct disk_choice){.names = DISK_NAMES_PREFIX, .seed = seed});
        cr_assert(!is_left("y") || is_left("d"), "what came later is there, what came before is not");
        cr_assert_eq(is_left("d"), is_left("d/x"));
        x |= is_left("d/x");
        y |= is_left("y");
    }
    cr_assert(x && y);
    close(fd);
}

Test(disk_image, a_removed_name_may_still_be_there, FIXTURE)
{
    disk_log_start(root);
    close(make("a", 0));
    sync_root();
    cr_assert(unlink(at(root, "a")) == 0);
    int fd = make("a", 0);
    fill(fd, 'n', 5, 0);
    cr_assert(fsync(fd) == 0);
    play_all();
    leave_nothing();
    cr_assert_str_eq(content("a"), "", "the old file of this name");
    leave_all();
    cr_assert_str_eq(content("a"), "5n");
    close(fd);
}

/* ---- The recording ---- */

/* Random calls of every kind. */
static void meddle(uint64_t seed)
{
    int fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = make((const char *[]){"a", "b", "c", "d"}[i], i == 3 ? O_APPEND : 0);
    for (int i = 0; i < 200; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        int fd = fds[seed >> 60 & 3];
        char byte = (char)('a' + (seed >> 50) % 26);
        struct iovec pieces[2] = {{"xyz", 3}, {"12345", 5}};
        switch (seed >> 40 & 7) {
        case 0: cr_assert(ftruncate(fd, (off_t)(seed >> 30 & 2047)) == 0); break;
        case 1: cr_assert(fdatasync(fd) == 0); break;
        case 2: cr_assert(lseek(fd, (off_t)(seed >> 30 & 1023), SEEK_SET) >= 0 && writev(fd, pieces, 2) == 8); break;
        case 3: cr_assert(write(fd, &byte, 1) == 1); break;
        case 4: cr_assert(renameat(AT_FDCWD, at(root, "a"), AT_FDCWD, at(root, "e")) == 0); break;
        case 5: cr_assert(posix_fallocate(fd, 0, 100) == 0); break;
        default: fill(fd, byte, seed >> 30 & 511, (off_t)(seed >> 20 & 1023)); break;
        }
        if ((seed >> 40 & 7) == 4) {
            close(fds[0]);
            fds[0] = make("a", O_TRUNC);
        }
    }
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

Test(disk_image, everything_kept_is_the_directory_itself, FIXTURE)
{
    close(make("before", 0));
    for (uint64_t seed = 0; seed < 20; seed++) {
        disk_log_start(root);
        meddle(seed);
        play_all();
        leave_all();
        char *expected = tree_listing(root), *found = tree_listing(left);
        cr_assert_str_eq(found, expected, "seed %d", (int)seed);
        free(expected);
        free(found);
        disk_free(disk);
        disk_log_free(disk_log);
        disk = NULL;
        disk_log = NULL;
    }
}

Test(disk_image, a_kept_recording_leaves_the_same_by_the_same_numbers, FIXTURE)
{
    disk_log_start(root);
    disk_log_mark(77);
    meddle(1);
    play_all();
    disk_log_save(disk_log, at(base, "kept"));
    struct disk_log *kept = disk_log_load(at(base, "kept"));
    struct disk *again = disk_new(kept);
    cr_assert_eq(kept->count, disk_log->count);
    cr_assert(kept->calls[kept->first].op == DISK_MARK && kept->calls[kept->first].offset == 77);
    for (uint64_t number = 0; number < DRAWS; number++) {
        struct disk_choice choice = disk_choice(5, number);
        size_t end = kept->first + (size_t)(number * 7919 % (kept->count - kept->first)); /* back and forth */
        disk_play(disk, end);
        disk_play(again, end);
        uint64_t hash = disk_choose(disk, &choice);
        cr_assert_eq(disk_choose(again, &choice), hash);
        disk_write(disk, left);
        char *one = tree_listing(left);
        disk_write(again, left);
        char *other = tree_listing(left);
        cr_assert_str_eq(one, other);
        free(one);
        free(other);
    }
    disk_free(again);
    disk_log_free(kept);
}

static int fail_third_write(void *context, enum disk_op op, const char *name)
{
    unsigned *writes = context;
    if (op == DISK_WRITE && strcmp(name, "a") == 0)
        return ++*writes == 3 ? ENOSPC : *writes == 4 ? DISK_FAULT_SHORT : 0;
    return op == DISK_SYNC ? EIO : 0;
}

Test(disk_image, a_call_that_is_to_fail_fails_and_is_not_made, FIXTURE)
{
    unsigned writes = 0;
    disk_log_faults(fail_third_write, &writes);
    disk_log_start(root);
    int fd = make("a", 0);
    fill(fd, 'x', 10, 0);
    fill(fd, 'y', 10, 10);
    cr_assert(pwrite(fd, "zz", 2, 20) == -1 && errno == ENOSPC);
    cr_assert_eq(pwrite(fd, "zzzz", 4, 20), 2);
    cr_assert(fdatasync(fd) == -1 && errno == EIO);
    play_all();
    cr_assert_eq(disk_log->calls[disk_log->count - 1].op, DISK_SYNC_LOST);
    leave(&(struct disk_choice){.data = DISK_DATA_ALL, .names = DISK_NAMES_ALL});
    cr_assert_str_eq(content("a"), "10x10y2z");
    leave(&(struct disk_choice){.data = DISK_DATA_NONE, .names = DISK_NAMES_ALL});
    cr_assert_str_eq(content("a"), "");
    close(fd);
}
