/* Tests of settle_open() on a damaged or shortened journal: it is refused, the place is named, and nothing is changed.
 * */
#include "journal/base/crc32c.h"
#include "tests/unit/engine_history.h"

SETTLE_SUITE(engine_refusals);

static void expect_refused(struct rig *rig, const char *file, uint64_t *ret_offset, uint64_t *ret_seq)
{
    char *before = tree_listing(rig->data);
    settle *engine = NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
        EXPECT_STATUS(settle_open(rig->data, &rig->options, &engine, &test_error), SETTLE_E_CORRUPT);
        cr_assert(engine == NULL);
        cr_assert(strstr(test_error.file, file) != NULL, "file '%s': %s", test_error.file, test_error.text);
        cr_assert(test_error.text[0] != '\0');
        char *after = tree_listing(rig->data);
        cr_assert_str_eq(after, before);
        free(after);
    }
    free(before);
    *ret_offset = test_error.offset_bytes;
    *ret_seq = test_error.seq;
}

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static uint64_t u64_at(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* Length and first seq of the frame at an offset (docs/journal-format.md). */
static uint32_t frame_length_at(const char *path, uint64_t offset, uint64_t *ret_first_seq)
{
    size_t count;
    unsigned char *bytes = tree_read(path, &count);
    cr_assert(offset + 64 <= count && memcmp(bytes + offset, "FRM1", 4) == 0);
    uint32_t length = (uint32_t)u64_at(bytes + offset + 4);
    *ret_first_seq = u64_at(bytes + offset + 8);
    free(bytes);
    return length;
}

Test(engine_refusals, a_journal_without_its_last_segment_is_refused_and_nothing_is_changed)
{
    struct rig rig;
    uint64_t offset, seq;
    make_history(&rig);
    rig_close(&rig);
    struct tree_segments segments = tree_segments(rig.data);
    cr_assert(segments.count > 2);
    cr_assert(remove(segments.paths[segments.count - 1]) == 0);
    expect_refused(&rig, "journal", &offset, &seq);
    tree_segments_free(&segments);
    rig_remove(&rig);
}

Test(engine_refusals, a_journal_without_a_segment_in_the_middle_is_refused_and_nothing_is_changed)
{
    struct rig rig;
    uint64_t offset, seq;
    make_history(&rig);
    rig_close(&rig);
    struct tree_segments segments = tree_segments(rig.data);
    cr_assert(remove(segments.paths[1]) == 0);
    expect_refused(&rig, ".seg", &offset, &seq);
    tree_segments_free(&segments);
    rig_remove(&rig);
}

/* The first frame of the last segment stays, the rest of it is gone. */
static uint64_t cut_last_segment(const char *last)
{
    uint64_t first_seq;
    uint32_t length = frame_length_at(last, 512, &first_seq);
    size_t count = used_bytes(last) - 512 - length;
    unsigned char *zeros = calloc(1, count);
    tree_write(last, 512 + length, zeros, count);
    free(zeros);
    return 512 + length;
}

Test(engine_refusals, a_journal_cut_behind_the_store_is_refused_and_nothing_is_changed)
{
    struct rig rig;
    uint64_t offset, seq;
    make_history(&rig);
    rig_close(&rig);
    struct tree_segments segments = tree_segments(rig.data);
    const char *last = segments.paths[segments.count - 1];
    uint64_t end = cut_last_segment(last);
    expect_refused(&rig, base_name(last), &offset, &seq);
    cr_assert(offset == end && seq > 1 && seq <= HISTORY_EVENTS, "offset %d", (int)offset);
    cr_assert(strstr(test_error.text, "207") != NULL, "up to which event: %s", test_error.text);
    tree_segments_free(&segments);
    rig_remove(&rig);
}

/* What the writer told of is known from the watermark, too. */
Test(engine_refusals, a_journal_cut_behind_the_watermark_is_refused_also_without_a_store)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    uint64_t offset, seq;
    make_history(&rig);
    rig_close(&rig);
    struct tree_segments segments = tree_segments(rig.data);
    uint64_t end = cut_last_segment(segments.paths[segments.count - 1]);
    path_in(&rig, "store", path);
    tempdir_remove(path);
    expect_refused(&rig, base_name(segments.paths[segments.count - 1]), &offset, &seq);
    cr_assert(offset == end && strstr(test_error.text, "journal/watermark") != NULL, "%s", test_error.text);
    /* Whoever restored an older journal on purpose deletes the watermark. */
    path_in(&rig, "journal/watermark", path);
    cr_assert(remove(path) == 0);
    open_again(&rig);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1000, 1)).outcome == SETTLE_DUPLICATE);
    tree_segments_free(&segments);
    rig_remove(&rig);
}

/* The last frame, which has no event, is torn, so that the store is ahead and to be made anew; and the journal is damaged
 * in its first segment. The store stays. */
Test(engine_refusals, a_store_that_is_to_be_made_anew_stays_where_the_journal_is_damaged)
{
    struct rig rig;
    uint64_t offset, seq;
    make_history(&rig);
    rig_close(&rig);
    struct tree_segments segments = tree_segments(rig.data);
    cr_assert(segments.count > 2);
    const char *last = segments.paths[segments.count - 1];
    const unsigned char zeros[16] = {0};
    tree_write(last, used_bytes(last) - sizeof zeros, zeros, sizeof zeros);
    tree_flip_bit(segments.paths[0], 600, 1);
    expect_refused(&rig, base_name(segments.paths[0]), &offset, &seq);
    cr_assert_eq(seq, 1);
    /* Without the damage it is made anew. */
    tree_flip_bit(segments.paths[0], 600, 1);
    open_again(&rig);
    cr_assert(rig_logged(&rig, "torn"), "%s", rig.log);
    tree_segments_free(&segments);
    rig_remove(&rig);
}

Test(engine_refusals, what_a_crash_left_is_refused_too_where_it_is_damaged)
{
    struct rig rig, crashed;
    settle *engine = NULL;
    uint64_t offset, seq;
    make_history(&rig);
    rig_make(&crashed);
    tree_copy(rig.data, crashed.data);
    struct tree_segments segments = tree_segments(crashed.data);
    tree_flip_bit(segments.paths[segments.count - 1], 600, 1);
    /* The first refusal may note in the watermark that nobody appends, and nothing else. */
    EXPECT_STATUS(settle_open(crashed.data, &crashed.options, &engine, &test_error), SETTLE_E_CORRUPT);
    expect_refused(&crashed, base_name(segments.paths[segments.count - 1]), &offset, &seq);
    tree_flip_bit(segments.paths[segments.count - 1], 600, 1);
    open_again(&crashed);
    expect_history(&crashed);
    tree_segments_free(&segments);
    rig_remove(&crashed);
    rig_remove(&rig);
}

/* A new journal in its place would be a quiet loss of everything. */
Test(engine_refusals, a_store_without_a_journal_is_refused_and_nothing_is_changed)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    uint64_t offset, seq;
    make_history(&rig);
    rig_close(&rig);
    path_in(&rig, "journal", path);
    tempdir_remove(path);
    expect_refused(&rig, "journal", &offset, &seq);
    cr_assert(settle_create(rig.data, &rig.options, NULL) == SETTLE_E_CORRUPT);
    rig_remove(&rig);
}

static void flip_in_last_segment(struct rig *rig, bool with_store)
{
    uint64_t offset, seq, first_seq;
    struct tree_segments segments = tree_segments(rig->data);
    const char *last = segments.paths[segments.count - 1];
    uint32_t length = frame_length_at(last, 512, &first_seq);
    if (!with_store) {
        char store[TEMPDIR_PATH_BYTES];
        path_in(rig, "store", store);
        tempdir_remove(store);
    }
    for (uint32_t at = 0; at < length; at += 37) {
        tree_flip_bit(last, 512 + at, at % 8);
        expect_refused(rig, base_name(last), &offset, &seq);
        cr_assert(offset >= 512 && offset <= 512 + at, "byte %u: offset %d", at, (int)offset);
        cr_assert(seq >= first_seq && seq <= HISTORY_EVENTS);
        tree_flip_bit(last, 512 + at, at % 8);
    }
    tree_segments_free(&segments);
}

Test(engine_refusals, a_flipped_bit_in_the_last_segment_is_refused_and_nothing_is_changed)
{
    struct rig rig;
    make_history(&rig);
    rig_close(&rig);
    flip_in_last_segment(&rig, true);
    open_again(&rig);
    expect_history(&rig);
    rig_remove(&rig);
}

Test(engine_refusals, a_damaged_journal_is_refused_also_without_a_store_and_nothing_is_changed)
{
    struct rig rig;
    make_history(&rig);
    rig_close(&rig);
    flip_in_last_segment(&rig, false);
    open_again(&rig);
    expect_history(&rig);
    rig_remove(&rig);
}

Test(engine_refusals, a_damaged_journal_is_refused_also_with_a_damaged_store_and_nothing_is_changed)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    uint64_t offset, seq;
    make_history(&rig);
    rig_close(&rig);
    path_in(&rig, "store/data.mdb", path);
    tree_truncate(path, 4096 * 3);
    struct tree_segments segments = tree_segments(rig.data);
    tree_flip_bit(segments.paths[0], 700, 3);
    expect_refused(&rig, base_name(segments.paths[0]), &offset, &seq);
    cr_assert(offset >= 512 && offset <= 700);
    tree_segments_free(&segments);
    rig_remove(&rig);
}

Test(engine_refusals, a_newer_format_is_unsupported_and_nothing_is_changed)
{
    struct rig rig;
    settle *engine = NULL;
    make_history(&rig);
    rig_close(&rig);
    struct tree_segments segments = tree_segments(rig.data);
    const char *last = segments.paths[segments.count - 1];
    size_t count;
    tree_write(last, 8, "\x02", 1); /* the version */
    unsigned char *bytes = tree_read(last, &count);
    uint32_t crc = crc32c(0, bytes, 508);
    tree_write(last, 508, &crc, 4);
    free(bytes);
    char *before = tree_listing(rig.data);
    EXPECT_STATUS(settle_open(rig.data, &rig.options, &engine, &test_error), SETTLE_E_UNSUPPORTED);
    char *after = tree_listing(rig.data);
    cr_assert_str_eq(after, before);
    free(before);
    free(after);
    tree_segments_free(&segments);
    rig_remove(&rig);
}
