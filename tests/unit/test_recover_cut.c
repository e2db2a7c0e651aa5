/*
 * test_recover_cut.c — cutting a torn frame: what is kept, what is cleared, and every place at which the cut itself
 * can be cut short: at every byte of every write, at every other call, and with any sectors of a write lost.
 */
#include "tests/unit/recover_scene.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lib/trap.h"

SETTLE_SUITE(recover_cut);

#define SEED stream_seed(99)

/* ---- A torn frame, again and again ------------------------------------------------------------------------------ */

struct torn {
    struct scene scene;
    uint8_t *bytes; /* the torn state */
    size_t count;   /* of it, up to the last byte that is not zero */
    struct journal_files before;
};

/* The frame without the sectors of `missing` and without its bytes from `end` on. */
static void torn_build(struct torn *torn, size_t align, size_t sectors, uint64_t missing, size_t end)
{
    scene_build(&torn->scene, align, sectors, SEED);
    scene_keep_sectors(&torn->scene, ~missing);
    if (end < torn->scene.length)
        memset(torn->scene.state + end, 0, torn->scene.length - end);
    cr_assert_eq(scene_judge(&torn->scene), TORN);
    torn->bytes = malloc(torn->scene.length);
    memcpy(torn->bytes, torn->scene.state, torn->scene.length);
    torn->count = torn->scene.scan.tail.torn_bytes;
    journal_files_load(torn->scene.builder.data_fd, &torn->before);
}

static void torn_free(struct torn *torn)
{
    free(torn->bytes);
    journal_files_free(&torn->before);
    scene_free(&torn->scene);
}

/* As it was before the cut, without copies. */
static void torn_restore(struct torn *torn)
{
    struct journal_files files;
    int data_fd = torn->scene.builder.data_fd;
    journal_files_load(data_fd, &files);
    for (size_t i = 0; i < files.count; i++)
        if (strstr(files.files[i].name, ".torn-") != NULL)
            journal_file_remove(data_fd, files.files[i].name);
    journal_files_free(&files);
    journal_file_write(data_fd, torn->scene.segment, torn->scene.offset, torn->bytes, torn->scene.length);
}

/* As the engine calls it, from what the reader says. */
static settle_status cut(struct torn *torn, char ret_copy[SEGMENT_NAME_BYTES + 32], settle_error *error)
{
    const struct journal_tail *tail = &torn->scene.scan.tail;
    return journal_cut_tail(torn->scene.builder.data_fd, torn->scene.segment, torn->scene.offset, tail->torn_bytes,
                            ret_copy, error);
}

/* Whether some copy holds all that was torn. */
static bool copy_is_kept(const struct torn *torn)
{
    struct journal_files files;
    bool is_kept = false;
    journal_files_load(torn->scene.builder.data_fd, &files);
    for (size_t i = 0; i < files.count; i++)
        is_kept = is_kept || (strstr(files.files[i].name, ".torn-") != NULL && files.files[i].count == torn->count &&
                              memcmp(files.files[i].bytes, torn->bytes, torn->count) == 0);
    journal_files_free(&files);
    return is_kept;
}

/* The cut stopped somewhere: what is left is torn or clean, and cutting again ends it. */
static void expect_repair(struct torn *torn, const char *what, size_t number)
{
    char copy[SEGMENT_NAME_BYTES + 32];
    struct scene *scene = &torn->scene;
    trap_clear();
    enum verdict verdict = scene_judge_disk(scene);
    cr_assert(verdict == TORN || verdict == CLEAN, "%s %zu: %s: %s", what, number, verdict_names[verdict],
              expect_describe(&scene->scan.error));
    if (verdict == TORN)
        EXPECT_OK(cut(torn, copy, &test_error));
    cr_assert_eq(scene_judge_disk(scene), CLEAN, "%s %zu", what, number);
    cr_assert(copy_is_kept(torn), "%s %zu: the torn bytes are not kept", what, number);
    struct journal_files after;
    memset(scene->state, 0, scene->length);
    journal_files_load(scene->builder.data_fd, &after);
    struct journal_file *file = journal_files_segment(&torn->before, 0);
    memset(file->bytes + scene->offset, 0, scene->length);
    cr_assert_null(journal_files_difference(&torn->before, &after), "%s %zu: more than the frame changed", what,
                   number);
    memcpy(file->bytes + scene->offset, torn->bytes, scene->length);
    journal_files_free(&after);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

Test(recover_cut, a_cut_keeps_the_torn_bytes_and_clears_them)
{
    struct torn torn;
    char copy[SEGMENT_NAME_BYTES + 32], expected[SEGMENT_NAME_BYTES + 32];
    torn_build(&torn, 192, 4, 4, SIZE_MAX);
    EXPECT_OK(cut(&torn, copy, &test_error));
    snprintf(expected, sizeof expected, "%s.torn-%zu", torn.scene.segment, (size_t)torn.scene.offset);
    cr_assert_str_eq(copy, expected);
    cr_assert_eq(journal_file_bytes(torn.scene.builder.data_fd, copy), torn.count);
    cr_assert(copy_is_kept(&torn));
    cr_assert_eq(scene_judge_disk(&torn.scene), CLEAN);
    torn_free(&torn);
}

Test(recover_cut, every_frame_that_was_cut_has_its_own_copy)
{
    struct torn torn;
    torn_build(&torn, 192, 3, 2, SIZE_MAX);
    for (size_t i = 0; i < 5; i++) {
        char copy[SEGMENT_NAME_BYTES + 32], expected[SEGMENT_NAME_BYTES + 32];
        EXPECT_OK(cut(&torn, copy, &test_error));
        snprintf(expected, sizeof expected, i == 0 ? "%s.torn-%zu" : "%s.torn-%zu-%zu", torn.scene.segment,
                 (size_t)torn.scene.offset, i);
        cr_assert_str_eq(copy, expected);
        journal_file_write(torn.scene.builder.data_fd, torn.scene.segment, torn.scene.offset, torn.bytes,
                           torn.scene.length);
        cr_assert_eq(scene_judge_disk(&torn.scene), TORN);
    }
    torn_free(&torn);
}

Test(recover_cut, the_journal_goes_on_where_a_frame_was_cut)
{
    struct torn torn;
    char copy[SEGMENT_NAME_BYTES + 32];
    torn_build(&torn, 64, 3, 1, SIZE_MAX);
    EXPECT_OK(cut(&torn, copy, &test_error));
    struct journal_builder *b = &torn.scene.builder;
    uint64_t position = b->frames[b->frame_count - 1].frame.position;
    b->end = torn.scene.scan.end;
    b->frame_count--;
    b->next_seq = b->end.next_seq;
    b->model.seq = b->event_count = (size_t)b->next_seq - 1;
    builder_open(b);
    builder_note(b, 4096);
    builder_close(b);
    struct journal_scan scan;
    journal_scan(b->data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.end.frame_position, position);
    cr_assert_eq(scan.end.position, position + 4096);
    torn_free(&torn);
}

/* The sizes of the cut's writes, in order. */
struct writes {
    size_t count;
    size_t bytes[64];
};

static void note_write(void *context, const struct trap_note *note)
{
    struct writes *writes = context;
    if (note->call == TRAP_WRITES && writes->count < 64)
        writes->bytes[writes->count++] = note->count;
}

static void interrupt_writes(size_t align, size_t sectors, uint64_t missing, size_t end)
{
    struct torn torn;
    struct writes writes = {0};
    char copy[SEGMENT_NAME_BYTES + 32];
    torn_build(&torn, align, sectors, missing, end);
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_write, .context = &writes});
    EXPECT_OK(cut(&torn, copy, &test_error));
    trap_clear();
    cr_assert(writes.count >= 2 && writes.count < 64);
    for (size_t i = 0; i < writes.count; i++) {
        for (size_t bytes = 0; bytes < writes.bytes[i]; bytes += bytes < 200 || bytes + 200 > writes.bytes[i] ? 1 : 7) {
            torn_restore(&torn);
            cr_assert_eq(scene_judge_disk(&torn.scene), TORN);
            trap_set(&(struct trap){.calls = TRAP_WRITES,
                                    .index = i + 1,
                                    .error = EIO,
                                    .action = bytes == 0 ? TRAP_ONCE : TRAP_SHORT,
                                    .bytes = bytes});
            EXPECT_STATUS(cut(&torn, copy, &test_error), SETTLE_E_IO);
            cr_assert(trap_has_failed());
            expect_repair(&torn, "write cut short at", bytes);
        }
    }
    torn_free(&torn);
}

Test(recover_cut, a_cut_stopped_at_any_byte_of_any_write_can_be_done_again_without_a_sector)
{
    interrupt_writes(192, 3, 2, SIZE_MAX);
}

Test(recover_cut, a_cut_stopped_at_any_byte_of_any_write_can_be_done_again_without_the_end)
{
    interrupt_writes(448, 4, 0, 700);
}

Test(recover_cut, a_cut_stopped_at_any_byte_of_any_write_can_be_done_again_without_the_header)
{
    interrupt_writes(256, 3, 1, SIZE_MAX);
}

Test(recover_cut, a_cut_stopped_at_any_byte_of_any_write_can_be_done_again_with_half_a_header)
{
    interrupt_writes(0, 1, 0, 33);
}

Test(recover_cut, a_cut_with_a_failing_call_can_be_done_again)
{
    static const unsigned calls[] = {TRAP_OPENS, TRAP_WRITES, TRAP_FDATASYNCS, TRAP_FSYNCS};
    struct torn torn;
    char copy[SEGMENT_NAME_BYTES + 32];
    torn_build(&torn, 192, 4, 4, SIZE_MAX);
    trap_set(&(struct trap){.calls = TRAP_SYNCS});
    EXPECT_OK(cut(&torn, copy, &test_error));
    uint64_t syncs = trap_count(TRAP_FDATASYNCS);
    cr_assert_eq(syncs, 4); /* the copy, and each of the three steps */
    cr_assert_eq(trap_count(TRAP_FSYNCS), 1);
    trap_clear();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (uint64_t nth = 1;; nth++) {
            torn_restore(&torn);
            cr_assert_eq(scene_judge_disk(&torn.scene), TORN);
            memset(copy, 'x', sizeof copy);
            trap_set(&(struct trap){.calls = calls[i], .index = nth, .error = nth % 2 == 0 ? ENOSPC : EIO});
            settle_status status = cut(&torn, copy, &test_error);
            if (!trap_was_met()) {
                EXPECT_OK(status);
                cr_assert_gt(nth, 1);
                trap_clear();
                break;
            }
            cr_assert_eq(status, nth % 2 == 0 ? SETTLE_E_NO_SPACE : SETTLE_E_IO);
            expect_repair(&torn, "failing call", (size_t)nth);
        }
    }
    torn_free(&torn);
}

/* What each step of the cut clears, as offsets in the frame. */
static void record_steps(void *context, const struct trap_note *note)
{
    struct trap_note *steps = context;
    char path[64], target[512];
    snprintf(path, sizeof path, "/proc/self/fd/%d", note->fd);
    ssize_t length = note->call == TRAP_WRITES ? readlink(path, target, sizeof target - 1) : -1;
    if (length < 4 || memcmp(target + length - 4, ".seg", 4) != 0)
        return;
    while (steps->count != 0)
        steps++;
    *steps = *note;
}

Test(recover_cut, a_power_cut_between_the_syncs_of_a_cut_leaves_a_torn_frame)
{
    /* Of the step on its way, any sectors are cleared; all of those before it, none of those after it. */
    static const uint64_t missing[] = {2, 1, 8, 16 | 8};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        struct torn torn;
        struct trap_note steps[8] = {{.count = 0}};
        char copy[SEGMENT_NAME_BYTES + 32];
        torn_build(&torn, 64 * i, 6, missing[i], SIZE_MAX);
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = record_steps, .context = steps});
        EXPECT_OK(cut(&torn, copy, &test_error));
        trap_clear();
        struct scene *scene = &torn.scene;
        uint8_t *before = malloc(scene->length);
        memcpy(before, torn.bytes, scene->length);
        size_t sectors = sector_count(scene);
        cr_assert_leq(sectors, 10);
        for (struct trap_note *step = steps; step->count != 0; step++) {
            size_t from = (size_t)(step->offset - scene->offset), to = from + step->count;
            for (uint64_t cleared = 0; cleared < UINT64_C(1) << sectors; cleared++) {
                memcpy(scene->state, before, scene->length);
                for (size_t at = from; at < to; at++)
                    if ((cleared >> (scene->offset % FORMAT_SECTOR_BYTES + at) / FORMAT_SECTOR_BYTES & 1) != 0)
                        scene->state[at] = 0;
                enum verdict verdict = scene_judge(scene);
                cr_assert_eq(verdict, bytes_are_zero(scene->state, scene->length) ? CLEAN : TORN, "from %zu: %s", from,
                             verdict_names[verdict]);
            }
            memset(before + from, 0, step->count);
        }
        cr_assert(bytes_are_zero(before, scene->length));
        free(before);
        torn_free(&torn);
    }
}

Test(recover_cut, a_cut_that_cannot_open_its_segment_changes_nothing)
{
    struct torn torn;
    struct journal_files after;
    char copy[SEGMENT_NAME_BYTES + 32] = "as it was";
    torn_build(&torn, 192, 3, 2, SIZE_MAX);
    EXPECT_STATUS(journal_cut_tail(torn.scene.builder.data_fd, "00000000000000000009-000009.seg", torn.scene.offset,
                                   torn.count, copy, &test_error),
                  SETTLE_E_NOT_FOUND);
    cr_assert_str_eq(copy, "as it was");
    journal_files_load(torn.scene.builder.data_fd, &after);
    cr_assert_null(journal_files_difference(&torn.before, &after));
    cr_assert_eq(after.count, torn.before.count);
    journal_files_free(&after);
    torn_free(&torn);
}

/* ---- Rewriting the tail ----------------------------------------------------------------------------------------- */

/* Which bytes of the segment are written. */
struct coverage {
    uint8_t is_written[64 << 10];
    size_t calls;
};

static void note_coverage(void *context, const struct trap_note *note)
{
    struct coverage *coverage = context;
    if (note->call != TRAP_WRITES)
        return;
    if (note->offset + note->count > sizeof coverage->is_written)
        abort();
    memset(coverage->is_written + note->offset, 1, note->count);
    coverage->calls++;
}

Test(recover_cut, rewriting_the_tail_writes_the_last_frame_and_all_behind_it_as_they_are)
{
    struct scene scene;
    struct journal_files before, after;
    scene_build(&scene, 192, 9, SEED);
    const struct journal_builder *b = &scene.builder;
    journal_files_load(b->data_fd, &before);
    size_t count = journal_files_segment(&before, 0)->count;
    /* Behind any frame, and at the beginning. */
    for (size_t i = 0; i <= b->frame_count; i++) {
        static struct coverage coverage;
        const struct journal_point beginning = {.position = SEGMENT_HEADER_BYTES, .next_seq = 1};
        const struct journal_point *end = i == 0 ? &beginning : &b->frames[i - 1].end;
        uint64_t from = i == 0 ? SEGMENT_HEADER_BYTES : end->frame_position;
        if (i < b->frame_count) { /* nothing may stand behind it */
            static const uint8_t zeros[32 << 10];
            journal_file_write(b->data_fd, scene.segment, end->position, zeros, count - end->position);
        } else {
            journal_files_store(b->data_fd, &before);
        }
        struct journal_files expected;
        journal_files_load(b->data_fd, &expected);
        memset(&coverage, 0, sizeof coverage);
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_coverage, .context = &coverage});
        EXPECT_OK(journal_rewrite_tail(b->data_fd, scene.segment, b->segment_bytes, end, &test_error));
        trap_clear();
        for (size_t at = 0; at < sizeof coverage.is_written; at++)
            cr_assert_eq(coverage.is_written[at], at >= from && at < count, "byte %zu of %zu", at, count);
        for (size_t nth = 1; nth <= coverage.calls; nth++) { /* stopped anywhere, it has changed nothing */
            trap_set(
                &(struct trap){.calls = TRAP_WRITES, .index = nth, .error = EIO, .action = TRAP_SHORT, .bytes = 100});
            EXPECT_STATUS(journal_rewrite_tail(b->data_fd, scene.segment, b->segment_bytes, end, &test_error),
                          SETTLE_E_IO);
            trap_clear();
        }
        journal_files_load(b->data_fd, &after);
        cr_assert_null(journal_files_difference(&expected, &after));
        cr_assert_eq(journal_files_segment(&after, 0)->count, count);
        journal_files_free(&expected);
        journal_files_free(&after);
        journal_files_store(b->data_fd, &before);
    }
    journal_files_free(&before);
    scene_free(&scene);
}
