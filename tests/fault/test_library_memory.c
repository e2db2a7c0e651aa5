/*
 * test_library_memory.c — what zstd and OpenSSL do for us, with each of their allocations (and ours beside them) failing once: it is
 * told, nothing half-made counts, nothing leaks, and the next try succeeds.
 *
 *     test_library_memory [EVERY]   every EVERYth allocation behind the first forty; 1 without it
 *
 * A plain program: a test library that allocates would be met as well.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/archived.h"
#include "journal/follow/log_files.h"
#include "journal/seal/seal.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/leaks.h"
#include "tests/lib/plain.h"
#include "tests/lib/trap.h"

#define PLAIN_BYTES (2 * ARCHIVED_BLOCK_BYTES + 1000)
#define LOG "settlement.log.2024-12-10"

static char directory[TEMPDIR_BYTES], key_path[TEMPDIR_PATH_BYTES], public_path[TEMPDIR_PATH_BYTES];
static int dir_fd = -1;
static settle_error error;
static struct sealed sealed;

static void expect_ok(settle_status status)
{
    if (status != SETTLE_OK)
        fprintf(stderr, "%s: %s\n", error.file, error.text);
    CHECK(status == SETTLE_OK);
}

static int open_file(const char *name, enum file_mode mode)
{
    int fd = -1;
    expect_ok(file_open_at(dir_fd, name, mode, &fd, &error));
    return fd;
}

static void put_file(const char *name)
{
    static uint8_t bytes[PLAIN_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i >> 7);
    int fd = open_file(name, FILE_CREATE_OR_WRITE);
    expect_ok(file_write(fd, name, 0, bytes, sizeof bytes, &error));
    file_close(fd);
}

/* ---- What is tried: each answers whether it did what it is for --------------------------------------------------------- */

static settle_status pack_segment(void)
{
    int from = open_file("plain", FILE_READ), to = open_file("x.zst", FILE_CREATE_OR_WRITE);
    settle_status status = file_truncate(to, "x.zst", 0, &error);
    if (status == SETTLE_OK)
        status = archived_write(from, "plain", to, "x.zst", 3, &mem_libc, &error);
    file_close(from);
    file_close(to);
    return status;
}

static settle_status read_segment(void)
{
    struct archived *archived = NULL;
    bool is_equal = false;
    int plain = open_file("plain", FILE_READ);
    settle_status status = archived_open(dir_fd, "x.zst", &mem_libc, &archived, &error);
    if (status == SETTLE_OK)
        status = archived_compare(archived, plain, "plain", &mem_libc, &is_equal, &error);
    CHECK(status != SETTLE_OK || is_equal);
    archived_close(archived);
    file_close(plain);
    return status;
}

static settle_status compress_log(void)
{
    const struct log_name name = {20067, 0, false, false};
    struct log_compression *compression = NULL;
    bool is_done = false;
    settle_status status = log_compression_open(dir_fd, &name, &mem_libc, &compression, &error);
    while (status == SETTLE_OK && !is_done)
        status = log_compression_step(compression, &is_done, &error);
    log_compression_close(compression);
    CHECK(file_exists_at(dir_fd, LOG) != (status == SETTLE_OK));
    CHECK(file_exists_at(dir_fd, LOG ".zst") == (status == SETTLE_OK));
    CHECK(!file_exists_at(dir_fd, LOG ".zst.partial"));
    return status;
}

static void log_again(void)
{
    (void)file_remove_at(dir_fd, LOG ".zst", NULL);
    put_file(LOG);
}

static settle_status make_key(void)
{
    settle_status status = key_create(key_path, -1, &error);
    CHECK((access(key_path, F_OK) == 0) == (status == SETTLE_OK));
    CHECK((access(public_path, F_OK) == 0) == (status == SETTLE_OK));
    return status;
}

static void remove_key(void)
{
    (void)unlink(key_path);
    (void)unlink(public_path);
}

/* Reading a key tells no want of memory from a file that is no key: both are an error with the file's name. */
static settle_status sign(void)
{
    struct seal seal = {.size = 3, .position = 4096, .time_us = 1733856600000000};
    struct seal_key key = {.pkey = NULL};
    settle_status status = key_read_private(key_path, -1, &key, &error);
    if (status == SETTLE_OK)
        status = seal_sign(&seal, &key, &sealed, &error);
    key_deinit(&key);
    return status;
}

/* What cannot be checked is not believed. */
static settle_status check(void)
{
    struct seal_key key = {.pkey = NULL};
    settle_status status = key_read_public(public_path, &key, &error);
    if (status == SETTLE_OK && !seal_is_signed_by(&sealed, &key))
        status = SETTLE_E_CORRUPT;
    key_deinit(&key);
    return status;
}

static const struct {
    const char *name;
    void (*prepare)(void);
    settle_status (*run)(void);
} tries[] = {
    {"pack", NULL, pack_segment},         {"unpack", NULL, read_segment}, {"compress", log_again, compress_log},
    {"make a key", remove_key, make_key}, {"sign", NULL, sign},           {"check", NULL, check},
};

int main(int argc, char **argv)
{
    const uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    CHECK(stride > 0);
    builder_use_memory();
    tempdir_make(directory);
    CHECK(dir_open(directory, false, &dir_fd, &error) == SETTLE_OK);
    tempdir_join(key_path, directory, "key");
    tempdir_join(public_path, directory, "key.pub");
    put_file("plain");
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        uint64_t failed = 0, index = 1;
        for (bool was_met = true; was_met; index += index < 40 ? 1 : stride) {
            if (tries[i].prepare != NULL)
                tries[i].prepare();
            if (index == 1) /* what is set up once is not made to fail */
                expect_ok(tries[i].run());
            if (index == 1 && tries[i].prepare != NULL)
                tries[i].prepare();
            error = (settle_error){.status = SETTLE_OK};
            trap_set(&(struct trap){.calls = TRAP_MEMORY, .index = index});
            settle_status status = tries[i].run();
            was_met = trap_was_met();
            trap_clear();
            CHECK(was_met || status == SETTLE_OK);
            CHECK(status == SETTLE_OK || error.text[0] != '\0' || tries[i].run == check);
            failed += status != SETTLE_OK;
        }
        if (tries[i].prepare != NULL)
            tries[i].prepare();
        expect_ok(tries[i].run());
        printf("%-12s about %d allocations; %d of those tried are needed\n", tries[i].name, (int)index - 1,
               (int)failed);
        CHECK(failed >= 2);
    }
    file_close(dir_fd);
    tempdir_remove(directory);
    leaks_check();
    return 0;
}
