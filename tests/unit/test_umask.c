/*
 * test_umask.c — modes of everything that is created, under all 512 umasks: a bank with every kind of file (journal,
 * watermark, lock, store, snapshot, archive, seals, rejects, key, lines) is made by an ordinary user, since root may
 * open what has no permissions at all.
 *
 * SETTLE_TEST_UMASK_STEP=N tries every Nth umask, beside 000, 022, 077 and 777 (a slow build).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/ingest.h"
#include "query/query.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"

#define USER 54321
#define EVENTS 200

SETTLE_SUITE(umask);

static struct rig rig;
static char input[TEMPDIR_PATH_BYTES], logs[TEMPDIR_PATH_BYTES];

/* Events enough for several segments, and a line that is none. */
static void write_input(void)
{
    FILE *file = fopen(input, "w");
    cr_assert_not_null(file);
    for (int i = 0; i < EVENTS; i++)
        fprintf(file, "{\"type\":\"deposit\",\"user\":%d,\"asset\":\"USDT\",\"amount\":\"1\",\"ts\":%d}\n", i + 1, i);
    fputs("no event\n", file);
    cr_assert_eq(fclose(file), 0);
}

static void ingest(void)
{
    char rejects[TEMPDIR_PATH_BYTES];
    static struct ingest_result result;
    tempdir_join(rejects, rig.data, "rejects");
    const char *paths[] = {input};
    struct ingest_options options = {.paths = paths, .path_count = 1, .reject_directory = rejects};
    settle_lines_options lines;
    settle_lines_options_init(&lines);
    lines.directory = logs;
    rig_open(&rig);
    EXPECT_OK(settle_lines_start(rig.engine, &lines, &test_error));
    EXPECT_OK(ingest_run(rig.engine, &options, &result, &test_error));
    cr_assert(result.counts.accepted == EVENTS && result.counts.malformed == 1);
    EXPECT_OK(settle_lines_stop(rig.engine, &test_error));
    rig_close(&rig);
}

static void seal_and_archive(void)
{
    char key[TEMPDIR_PATH_BYTES];
    static struct seal_result sealed;
    struct archive_result archived;
    tempdir_join(key, rig.base, "key.pem");
    EXPECT_OK(query_seal_key(rig.data, key, &test_error));
    EXPECT_OK(query_seal(rig.data, &(struct seal_options){.key_path = key}, &sealed, &test_error));
    EXPECT_OK(
        query_archive(rig.data, &(struct archive_options){.before_seq = EVENTS, .level = 1}, &archived, &test_error));
    cr_assert_gt(archived.count, 0);
    archive_result_free(&archived);
}

static unsigned expected_mode(const char *path, bool is_directory)
{
    const char *name = strrchr(path, '/') + 1;
    bool is_for_others = strncmp(path, logs, strlen(logs)) == 0;
    if (strcmp(name, "key.pem.pub") == 0)
        return 0644;
    if (is_directory)
        return is_for_others ? 0750 : 0700;
    return is_for_others && strcmp(name, ".settlement.lock") != 0 ? 0640 : 0600;
}

/* Returns how many files and directories there are. */
static size_t check_modes(const char *folder, unsigned umask_was)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir, "umask %03o: cannot list %s", umask_was, folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[TEMPDIR_PATH_BYTES];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        tempdir_join(path, folder, entry->d_name);
        cr_assert_eq(lstat(path, &st), 0);
        count++;
        if (strcmp(path, input) == 0)
            continue;
        unsigned mode = st.st_mode & 07777, expected = expected_mode(path, S_ISDIR(st.st_mode));
        cr_assert_eq(mode, expected, "umask %03o: %s has mode %04o, not %04o", umask_was, path, mode, expected);
        if (S_ISDIR(st.st_mode))
            count += check_modes(path, umask_was);
    }
    closedir(dir);
    return count;
}

static void expect_exists(const char *name)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, rig.data, name);
    cr_assert_eq(access(path, F_OK), 0, "there is no %s, so its mode was not looked at", name);
}

static void try_umask(unsigned mask)
{
    static const char *const kinds[] = {"lock",           "journal/watermark", "journal/archived",
                                        "store/data.mdb", "store/lock.mdb",    "archive/snapshot/store/data.mdb",
                                        "seals/frontier", "seals/lock",        "rejects",
                                        "archive"};
    rig_make(&rig);
    rig.options.commit_events_max = 20;
    tempdir_join(input, rig.base, "events.ndjson");
    tempdir_join(logs, rig.base, "logs");
    write_input();
    mode_t before = umask((mode_t)mask);
    ingest();
    seal_and_archive();
    umask(before);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        expect_exists(kinds[i]);
    cr_assert_geq(check_modes(rig.base, mask), 25);
    rig_remove(&rig);
}

Test(umask, modes_are_the_same_under_every_umask, .timeout = 240)
{
    const char *given = getenv("SETTLE_TEST_UMASK_STEP");
    if (access("/dev/shm", W_OK | X_OK) == 0) /* thousands of syncs, of which nothing is asked here */
        cr_assert_eq(setenv("TMPDIR", "/dev/shm", 1), 0);
    unsigned step = given != NULL && atoi(given) > 0 ? (unsigned)atoi(given) : 1, tried = 0;
    if (geteuid() == 0) {
        cr_assert_eq(setegid(USER), 0);
        cr_assert_eq(seteuid(USER), 0);
    }
    for (unsigned mask = 0; mask <= 0777; mask++)
        if (mask % step == 0 || mask == 022 || mask == 077 || mask == 0777) {
            try_umask(mask);
            tried++;
        }
    printf("%u umasks\n", tried);
}
