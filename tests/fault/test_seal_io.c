/*
 * test_seal_io.c — the Nth system call of a sealing fails, for every N; and the power goes behind it. What lies in
 * seals/ is then the seals of before, or these and the new one whole; the next sealing needs nobody's help.
 */
#include <errno.h>

#include "tests/lib/trap.h"
#include "tests/unit/seal_scene.h"

TestSuite(seal_io, .fini = leaks_check, .timeout = 240);

static bool is_operating_error(settle_status status)
{
    return status == SETTLE_E_IO || status == SETTLE_E_NO_SPACE;
}

/* All seals of the directory are whole and by the key; returns how many. */
static unsigned expect_whole_seals(void)
{
    char folder[TEMPDIR_PATH_BYTES], path[TEMPDIR_PATH_BYTES];
    char **names = NULL;
    size_t count = 0;
    unsigned seals = 0;
    int fd = -1;
    tempdir_join(folder, fixture_dir, "seals");
    if (dir_open(folder, false, &fd, NULL) != SETTLE_OK)
        return 0;
    EXPECT_OK(dir_list(fd, folder, &mem_libc, &names, &count, &test_error));
    for (size_t i = 0; i < count; i++) {
        struct seal_verdict verdict;
        size_t length = strlen(names[i]);
        if (length > 5 && strcmp(names[i] + length - 5, ".seal") == 0) {
            tempdir_join(path, folder, names[i]);
            EXPECT_OK(query_seal_verify(fixture_dir, path, scene_public, &verdict, &test_error));
            cr_assert(verdict.ok, "%s: %s", names[i], verdict.difference);
            seals++;
        }
    }
    dir_list_free(names, count, &mem_libc);
    file_close(fd);
    return seals;
}

static settle_status seal_here(struct seal_result *ret_result)
{
    const struct seal_options options = {.key_path = scene_key};
    return query_seal(fixture_dir, &options, ret_result, &test_error);
}

static void fail_every_call(unsigned call, int cause_errno, unsigned at_least)
{
    static struct seal_result result;
    unsigned failures = 0, whole = 1;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    EXPECT_OK(seal_here(&result));
    for (uint64_t nth = 1;; nth++) {
        scene_deposit(10000 + nth);
        trap_set(&(struct trap){.calls = call, .index = nth, .error = cause_errno});
        settle_status status = seal_here(&result);
        bool has_struck = trap_was_met();
        trap_clear();
        unsigned seals = expect_whole_seals();
        cr_assert(seals == whole || seals == whole + 1, "%u seals, there were %u", seals, whole);
        cr_assert(status == SETTLE_OK ? seals == whole + 1 : is_operating_error(status), "%s",
                  expect_describe(&test_error));
        failures += status != SETTLE_OK;
        whole = seals;
        /* The next one finds the seals of before and does not trip over what was left. */
        EXPECT_OK(seal_here(&result));
        cr_assert_eq(result.size, FIXTURE_EVENTS + nth);
        whole = expect_whole_seals();
        if (!has_struck)
            break;
    }
    cr_assert_geq(failures, at_least, "%u failures", failures);
}

Test(seal_io, every_write_fails_once, SCENE)
{
    fail_every_call(TRAP_WRITES, ENOSPC, 3); /* the pid, the seal, the frontier */
}

Test(seal_io, every_sync_fails_once, SCENE)
{
    fail_every_call(TRAP_FDATASYNCS, EIO, 2);
}

Test(seal_io, every_sync_of_a_directory_fails_once, SCENE)
{
    fail_every_call(TRAP_FSYNCS, EIO, 2);
}

Test(seal_io, every_rename_fails_once, SCENE)
{
    fail_every_call(TRAP_RENAMES, EIO, 2);
}

Test(seal_io, every_opening_fails_once, SCENE)
{
    fail_every_call(TRAP_OPENS, EIO, 3);
}

/* ---- The order that makes it durable ---- */

struct order {
    char text[512];
};

static void note_call(void *context, const struct trap_note *note)
{
    struct order *order = context;
    size_t used = strlen(order->text);
    if (note->call == TRAP_RENAMES)
        snprintf(order->text + used, sizeof order->text - used, "rename %s; ", note->name);
    else if (note->call == TRAP_FDATASYNCS)
        snprintf(order->text + used, sizeof order->text - used, "sync; ");
    else if (note->call == TRAP_FSYNCS)
        snprintf(order->text + used, sizeof order->text - used, "sync directory; ");
}

Test(seal_io, a_seal_is_synced_before_its_name_and_its_name_before_the_frontier, SCENE)
{
    static struct seal_result result;
    struct order order = {""};
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    EXPECT_OK(seal_here(&result));
    scene_deposit(10000);
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_call, .context = &order});
    EXPECT_OK(seal_here(&result));
    trap_clear();
    /* The first is the reader's: what it hands out is on stable storage. Then the name of seals/, which was there. */
    cr_assert_str_eq(order.text, "sync; sync directory; sync; rename seal.partial; sync directory; "
                                 "sync; rename frontier.partial; sync directory; ");
}

/* What a crash in the midst of writing leaves: half a seal under its partial name, half a frontier. */
Test(seal_io, what_a_crash_left_is_written_over, SCENE)
{
    static struct seal_result result;
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    EXPECT_OK(seal_here(&result));
    scene_deposit(10000);
    char *text = strdup(result.text);
    for (size_t cut = 0; cut <= strlen(text); cut += 40) {
        tempdir_join(path, fixture_dir, "seals/seal.partial");
        scene_write(path, text, cut);
        tempdir_join(path, fixture_dir, "seals/frontier.partial");
        scene_write(path, text, cut);
        scene_deposit(20000 + cut);
        EXPECT_OK(seal_here(&result));
        cr_assert(result.is_new && result.is_resumed);
        tempdir_join(path, fixture_dir, "seals/seal.partial");
        cr_assert_neq(access(path, F_OK), 0);
    }
    (void)expect_whole_seals();
    free(text);
}

/* A new seal is there and its frontier is not: the crash came between the two. */
Test(seal_io, a_seal_without_its_frontier_is_gone_on_from, SCENE)
{
    static struct seal_result result, walked;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    EXPECT_OK(seal_here(&result));
    scene_deposit(10000);
    trap_set(&(struct trap){.calls = TRAP_RENAMES, .index = 2, .error = EIO});
    EXPECT_STATUS(seal_here(&result), SETTLE_E_IO);
    trap_clear();
    cr_assert_eq(expect_whole_seals(), 2);
    EXPECT_OK(seal_here(&walked));
    cr_assert(!walked.is_new && !walked.is_resumed);
    EXPECT_OK(seal_here(&result));
    cr_assert(!result.is_new && result.is_resumed);
    cr_assert_str_eq(result.text, walked.text);
}

/* A key that could not be written whole is not there. */
Test(seal_io, half_a_key_is_none, SCENE)
{
    char path[TEMPDIR_PATH_BYTES], public_path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene_dir, "new.pem");
    tempdir_join(public_path, scene_dir, "new.pem.pub");
    for (uint64_t nth = 1;; nth++) {
        trap_set(&(struct trap){
            .calls = nth % 2 == 1 ? TRAP_WRITES : TRAP_FDATASYNCS, .index = (nth + 1) / 2, .error = ENOSPC});
        settle_status status = query_seal_key(fixture_dir, path, &test_error);
        bool has_struck = trap_was_met();
        trap_clear();
        cr_assert_eq(status == SETTLE_OK, !has_struck);
        cr_assert_eq(access(path, F_OK) == 0, status == SETTLE_OK);
        cr_assert_eq(access(public_path, F_OK) == 0, status == SETTLE_OK);
        if (!has_struck)
            break;
        cr_assert_leq(nth, 4);
    }
}
