/*
 * test_follower_trouble.c — what happens to log files one way or another (moved, renamed, cut, another journal's, old), and in
 * the midst of it a call fails or memory is missing, each one once. The lines pause or the call says so; when the trouble is over
 * they are complete, and nothing of anybody else's is lost. The clock and the size of the file system are the test's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include <errno.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/fault/follower_trouble.h"

TestSuite(follower_trouble, .fini = leaks_check, .timeout = 240);

struct play {
    const char *name;
    void (*prepare)(void); /* may leave a follower that is open */
    void (*expect)(void);  /* when it is over */
    const char *told;      /* at least once in the whole sweep; NULL: nothing particular */
};

enum { MEMORY = 1 << 20 }; /* besides enum trap_calls */

/* One life in which call `index` fails. False: there are not so many. */
static bool live(const struct play *play, unsigned calls, int cause, uint64_t index, bool *ret_was_told)
{
    settle_status status = SETTLE_OK;
    begin();
    play->prepare();
    if (scene.follower == NULL)
        life_begin();
    if (calls == MEMORY)
        allocations_left = (int)index - 1;
    else
        trap_set(&(struct trap){.calls = calls, .index = index, .error = cause, .action = TRAP_ONCE});
    for (int i = 0; i < 5 && status == SETTLE_OK; i++)
        status = life_step();
    bool was_met = calls == MEMORY ? allocations_left == -2 : trap_was_met();
    allocations_left = -1;
    (void)trap_clear();
    cr_assert(status == SETTLE_OK || was_met, "%s, call %d: status %d", play->name, (int)index, (int)status);
    if (status != SETTLE_OK) { /* the journal's trouble, or want of memory: another life goes on */
        life_end();
        life_begin();
    }
    life_finish();
    play->expect();
    life_end();
    life_begin();
    life_finish();
    play->expect();
    life_end();
    *ret_was_told |= play->told == NULL || scene_told(&scene, play->told);
    end();
    return was_met;
}

static void sweep(const struct play *play, unsigned calls, int cause)
{
    uint64_t index = 1;
    bool was_told = false;
    while (live(play, calls, cause, index, &was_told))
        index++;
    cr_assert_gt(index, 3, "%s: %d calls", play->name, (int)index);
    cr_assert(was_told, "%s: never told: %s", play->name, play->told);
}

/* ---- Plays ---------------------------------------------------------------------------------------------------------- */

static char away[TEMPDIR_PATH_BYTES];

static void directory_is_moved(void)
{
    half_way();
    tempdir_join(away, scene.builder.path, "away");
    cr_assert_eq(rename(scene.logs, away), 0);
}

/* Half the lines there, half here. */
static void expect_two_houses(void)
{
    struct scene_files expected, found;
    struct log_scene there = scene;
    scene_expected(&scene, &expected);
    scene_found(&scene, &found);
    const struct scene_file *all = &expected.files[0], *here = &found.files[found.count - 1];
    snprintf(there.logs, sizeof there.logs, "%s", away);
    size_t count = 0;
    char *before = scene_read(&there, CURRENT, &count);
    cr_assert(count + here->count >= all->count, "%zu + %zu of %zu bytes", count, here->count, all->count);
    cr_assert(memcmp(all->bytes, before, count) == 0);
    cr_assert(memcmp(all->bytes + all->count - here->count, here->bytes, here->count) == 0);
    free(before);
    scene_files_free(&expected);
    scene_files_free(&found);
}

static void file_is_renamed(void)
{
    half_way();
    scene_rename(&scene, CURRENT, "settlement.log.2000-01-01");
}

static void file_has_more(void)
{
    size_t count = 0;
    half_way();
    char *bytes = scene_read(&scene, CURRENT, &count);
    bytes = realloc(bytes, count + sizeof TEXT);
    memcpy(bytes + count, TEXT, sizeof TEXT - 1);
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene.logs, CURRENT);
    tree_write(path, count, TEXT, sizeof TEXT - 1); /* the same file: not made anew */
    free(bytes);
}

static void expect_text_between(void)
{
    struct scene_files expected;
    size_t count = 0;
    scene_expected(&scene, &expected);
    char *bytes = scene_read(&scene, CURRENT, &count), *text = memmem(bytes, count, TEXT, sizeof TEXT - 1);
    /* What a failed sync leaves behind the last good one is cut, whoever wrote it: nobody knows what of it is on the disk. */
    cr_assert(text != NULL || scene_told(&scene, "cannot sync"), "somebody else's text is gone; told: %s", scene.told);
    if (text != NULL) {
        memmove(text, text + sizeof TEXT - 1, (size_t)(bytes + count - text) - (sizeof TEXT - 1));
        count -= sizeof TEXT - 1;
    }
    cr_assert(count == expected.files[0].count && memcmp(bytes, expected.files[0].bytes, count) == 0, "told: %s",
              scene.told);
    free(bytes);
    scene_files_free(&expected);
}

/* Another journal's lines, with or without its position. */
static struct scene_files foreign;
static bool with_position;

static void lines_are_foreign(void)
{
    static struct log_scene other;
    size_t count = 0;
    scene_init(&other, 78);
    scene_grow(&other, 4, 0);
    scene_follow(&other);
    scene_files_free(&foreign);
    scene_found(&other, &foreign);
    scene_restore(&scene, &foreign);
    char *position = scene_read(&other, POSITION, &count);
    position[16] ^= 1; /* the journal's id */
    put_u32((uint8_t *)position + count - 4, crc32c(0, position, count - 4));
    if (with_position)
        scene_write(&scene, POSITION, position, count);
    free(position);
    scene_deinit(&other);
    grow();
}

/* The position is another journal's, and the file has no line of anybody's. */
static void position_is_foreign_and_text_is_there(void)
{
    with_position = true;
    lines_are_foreign();
    scene_write(&scene, CURRENT, TEXT, sizeof TEXT - 1);
}

static void foreign_without_position(void)
{
    with_position = false;
    lines_are_foreign();
}

static void foreign_with_position(void)
{
    with_position = true;
    lines_are_foreign();
}

static void expect_beside_foreign(void)
{
    struct scene_files expected, found;
    scene_expected(&scene, &expected);
    scene_found(&scene, &found);
    cr_assert_eq(found.count, 2, "%zu files; told: %s", found.count, scene.told);
    cr_assert(found.files[0].count == foreign.files[0].count);
    cr_assert(memcmp(found.files[0].bytes, foreign.files[0].bytes, foreign.files[0].count) == 0);
    cr_assert(found.files[1].count == expected.files[0].count);
    cr_assert(memcmp(found.files[1].bytes, expected.files[0].bytes, expected.files[0].count) == 0);
    scene_files_free(&expected);
    scene_files_free(&found);
}

/* Behind an old position of ours the last line is not ours: the lines go on at the position, in a new file. */
static void last_line_is_foreign(void)
{
    size_t count = 0, position_bytes = 0;
    grow();
    scene_follow(&scene);
    char *position = scene_read(&scene, POSITION, &position_bytes);
    grow();
    scene_follow(&scene);
    char *bytes = scene_read(&scene, CURRENT, &count);
    size_t first = count - 1;
    while (bytes[first - 1] != '\n')
        first--;
    char *span = memmem(bytes + first, count - first, "\"span_id\":\"", 11);
    span[11] = span[11] == '1' ? '2' : '1';
    scene_write(&scene, CURRENT, bytes, count);
    scene_write(&scene, POSITION, position, position_bytes);
    free(bytes);
    free(position);
    grow();
}

/* The last line is in a rotated file, and no position tells of it. */
static void line_is_rotated(void)
{
    grow();
    scene_follow(&scene);
    scene_rename(&scene, CURRENT, "settlement.log.2000-01-01");
    scene_remove(&scene, POSITION);
    grow();
}

/* Of many days, all but the newest to be deleted, with what a crash left of a compression. */
static void much_is_to_be_tidied(void)
{
    scene_grow(&scene, 8, 2);
    scene.options.compress = true;
    scene_follow(&scene);
    scene.options.keep_days = 1;
    scene_write(&scene, "settlement.log.2000-01-01.zst.partial", "half", 4);
    scene_write(&scene, "settlement.log.2000-01-01", TEXT, sizeof TEXT - 1);
    scene_write(&scene, "settlement.log.2000-01-02", TEXT, sizeof TEXT - 1);
    grow();
}

static void expect_tidy(void)
{
    cr_assert(!scene_has(&scene, "settlement.log.2000-01-01"), "told: %s", scene.told);
    cr_assert(!scene_has(&scene, "settlement.log.2000-01-02"));
    cr_assert(!scene_has(&scene, "settlement.log.2000-01-01.zst.partial"));
    expect_end();
}

static const struct play plays[] = {
    {"half-way", half_way, expect_joined, NULL},
    {"directory moved", directory_is_moved, expect_two_houses, "the lines go on in a new one"},
    {"file renamed", file_is_renamed, expect_joined, "was renamed or removed"},
    {"file cut", file_is_cut, expect_end, "was cut behind our back"},
    {"file grown", file_has_more, expect_text_between, "somebody else wrote to"},
    {"foreign lines", foreign_without_position, expect_beside_foreign, "its last line is not in the journal"},
    {"foreign position", foreign_with_position, expect_beside_foreign, "another journal's id"},
    {"foreign position and text", position_is_foreign_and_text_is_there, expect_text_between, "another journal's id"},
    {"foreign last line", last_line_is_foreign, expect_end, "its last line is not in the journal"},
    {"line is rotated", line_is_rotated, expect_joined, NULL},
    {"tidying", much_is_to_be_tidied, expect_tidy, NULL},
};

static void sweep_all(unsigned calls, int cause)
{
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++)
        sweep(&plays[i], calls, cause);
    scene_files_free(&foreign);
}

Test(follower_trouble, any_call_fails_in_the_midst_of_it)
{
    sweep_all(TRAP_FILES, EIO);
}

Test(follower_trouble, any_file_is_gone_at_the_moment_of_the_call)
{
    static const struct play gone[] = {
        {"rotated file gone", line_is_rotated, expect_end, NULL},
        {"tidying what is gone", much_is_to_be_tidied, expect_end, NULL},
    };
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        sweep(&gone[i], TRAP_OPENS | TRAP_NAMES, ENOENT);
}

Test(follower_trouble, memory_is_missing_in_the_midst_of_it)
{
    sweep_all(MEMORY, 0);
}
