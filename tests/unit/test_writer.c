/*
 * test_writer.c — appending: what is written where, how files grow, the switch of segments with and without a spare,
 * and that stopping and going on at any frame gives the same journal. The failing calls are
 * tests/fault/test_journal.c's.
 */
#include "journal/writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

SETTLE_SUITE(writer);

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SEED stream_seed(42)
#define MIB ((uint64_t)1 << 20)

static struct journal_builder b;

static void begin(uint64_t segment_bytes)
{
    builder_use_memory();
    builder_init(&b, segment_bytes, SEED);
}

static const char *name_of(uint64_t ordinal)
{
    static char name[SEGMENT_NAME_BYTES];
    struct journal_files files;
    journal_files_load(b.data_fd, &files);
    const struct journal_file *file = journal_files_segment(&files, ordinal);
    cr_assert_not_null(file, "no segment %zu", (size_t)ordinal);
    strcpy(name, file->name);
    journal_files_free(&files);
    return name;
}

static void expect_watermark(uint64_t position, bool is_appending)
{
    int journal_fd = -1;
    struct watermark watermark = {.is_known = false};
    EXPECT_OK(dir_open_at(b.data_fd, "journal", false, &journal_fd, &test_error));
    EXPECT_OK(watermark_read(journal_fd, &watermark, &test_error));
    file_close(journal_fd);
    cr_assert(watermark.is_known);
    cr_assert_eq(watermark.position, position);
    cr_assert_eq(watermark.is_appending, is_appending);
}

/* The reader finds what was built. */
static void expect_built(void)
{
    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s", expect_describe(&scan.error));
    cr_assert_eq(scan.frame_count, b.frame_count);
    cr_assert_eq(scan.end.position, b.end.position);
    cr_assert_eq(scan.end.next_seq, b.end.next_seq);
    cr_assert_eq(scan.end.persisted_seq, b.end.persisted_seq);
    cr_assert_eq(scan.end.time_us, b.end.time_us);
    cr_assert_eq(scan.end.frame_position, b.end.frame_position);
    cr_assert_eq(scan.end.chain, b.end.chain);
    cr_assert_eq(scan.tail.torn_position, 0);
}

/* ---- Creating --------------------------------------------------------------------------------------------------- */

Test(writer, a_new_journal_is_one_empty_segment)
{
    begin(SEGMENT_BYTES_MIN);
    builder_close(&b);
    struct journal_files files;
    journal_files_load(b.data_fd, &files);
    cr_assert_eq(files.count, 1);
    const struct journal_file *file = &files.files[0];
    struct segment_header header;
    EXPECT_OK(segment_header_decode(file->bytes, file->name, &header, &test_error));
    cr_assert_str_eq(file->name, "00000000000000000001-000000.seg");
    cr_assert_eq(file->count, SEGMENT_BYTES_MIN);
    cr_assert(bytes_are_zero(file->bytes + SEGMENT_HEADER_BYTES, file->count - SEGMENT_HEADER_BYTES));
    cr_assert_eq(memcmp(header.journal_id, builder_journal_id, 16), 0);
    cr_assert_eq(header.first_seq, 1);
    cr_assert_eq(header.ordinal, 0);
    cr_assert_eq(header.segment_bytes, SEGMENT_BYTES_MIN);
    cr_assert_eq(header.created_us, BUILDER_TIME_US);
    cr_assert_eq(header.compatible, 0);
    cr_assert_eq(header.previous_chain, segment_chain_genesis(builder_journal_id));
    expect_watermark(SEGMENT_HEADER_BYTES, false);
    cr_assert(journal_exists(b.data_fd));
    journal_files_free(&files);
    builder_deinit(&b);
}

Test(writer, every_journal_has_its_own_id)
{
    uint8_t ids[2][16];
    for (int i = 0; i < 2; i++) {
        char path[TEMPDIR_BYTES];
        int data_fd = -1;
        struct journal_reader *reader = NULL;
        builder_use_memory();
        tempdir_make(path);
        EXPECT_OK(dir_open(path, false, &data_fd, &test_error));
        cr_assert_not(journal_exists(data_fd));
        EXPECT_OK(journal_create(data_fd, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error));
        cr_assert(journal_exists(data_fd));
        EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
        memcpy(ids[i], journal_reader_id(reader), 16);
        journal_reader_close(reader);
        file_close(data_fd);
        tempdir_remove(path);
    }
    cr_assert_neq(memcmp(ids[0], ids[1], 16), 0);
}

Test(writer, segment_sizes_are_checked_and_rounded_up)
{
    static const struct {
        uint64_t asked, taken; /* 0: refused */
    } rows[] = {
        {0, 0},
        {16383, 0},
        {16384, 16384},
        {16385, 20480},
        {20480, 20480},
        {MIB - 1, MIB},
        {MIB, MIB},
        {((uint64_t)1 << 30) - 1, (uint64_t)1 << 30},
        {(uint64_t)1 << 30, (uint64_t)1 << 30},
        {((uint64_t)1 << 30) + 1, 0},
        {UINT64_MAX, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[TEMPDIR_BYTES];
        int data_fd = -1;
        struct journal_reader *reader = NULL;
        builder_use_memory();
        tempdir_make(path);
        EXPECT_OK(dir_open(path, false, &data_fd, &test_error));
        settle_status status = journal_create(data_fd, rows[i].asked, BUILDER_TIME_US, &test_error);
        cr_assert_eq(status, rows[i].taken == 0 ? SETTLE_E_INVALID : SETTLE_OK, "row %zu", i);
        cr_assert_eq(journal_exists(data_fd), rows[i].taken != 0);
        if (rows[i].taken != 0) {
            EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
            cr_assert_eq(journal_reader_segment_bytes(reader), rows[i].taken);
            journal_reader_close(reader);
        }
        file_close(data_fd);
        tempdir_remove(path);
    }
}

Test(writer, a_journal_is_not_created_twice)
{
    begin(SEGMENT_BYTES_MIN);
    builder_events(&b, 3);
    builder_close(&b);
    EXPECT_STATUS(journal_create(b.data_fd, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error), SETTLE_E_EXISTS);
    expect_built();
    /* One that is damaged is one all the same. */
    journal_file_write(b.data_fd, name_of(0), 20, "damage", 6);
    cr_assert(journal_exists(b.data_fd));
    EXPECT_STATUS(journal_create(b.data_fd, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error), SETTLE_E_EXISTS);
    builder_deinit(&b);
}

/* ---- Frames ----------------------------------------------------------------------------------------------------- */

Test(writer, frames_follow_each_other_without_gaps)
{
    begin(SEGMENT_BYTES_MIN);
    for (int i = 0; i < 120; i++)
        builder_random(&b);
    cr_assert_geq(b.end.position / SEGMENT_BYTES_MIN, 4);
    uint64_t expected = SEGMENT_HEADER_BYTES, next_seq = 1;
    for (size_t i = 0; i < b.frame_count; i++) {
        const struct frame *frame = &b.frames[i].frame;
        if (frame->position != expected) { /* the first of the next segment, because there was too little room */
            cr_assert_gt(expected % SEGMENT_BYTES_MIN, SEGMENT_BYTES_MIN - FRAME_ALIGN - FRAME_BYTES_MIN);
            expected = (expected / SEGMENT_BYTES_MIN + 1) * SEGMENT_BYTES_MIN + SEGMENT_HEADER_BYTES;
        }
        cr_assert_eq(frame->position, expected);
        cr_assert_eq(frame->first_seq, next_seq);
        cr_assert_leq(frame->position % SEGMENT_BYTES_MIN + frame->length_bytes, SEGMENT_BYTES_MIN - 64);
        expected += frame->length_bytes;
        next_seq += frame->event_count;
        cr_assert_eq(frame->previous_chain,
                     i == 0 ? segment_chain_genesis(builder_journal_id) : b.frames[i - 1].frame.chain);
    }
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer, the_watermark_is_the_end_of_the_last_synced_frame)
{
    begin(SEGMENT_BYTES_MIN);
    for (int i = 0; i < 40; i++) {
        builder_random(&b);
        expect_watermark(b.end.position, true);
    }
    builder_close(&b);
    expect_watermark(b.end.position, false);
    journal_file_remove(b.data_fd, WATERMARK_NAME);
    builder_open(&b);
    expect_watermark(b.end.position, true);
    builder_deinit(&b);
}

Test(writer, frames_of_one_note_alone)
{
    begin(SEGMENT_BYTES_MIN);
    for (int i = 0; i < 3; i++) {
        builder_begin(&b);
        builder_add_asset(&b);
        EXPECT_OK(builder_commit(&b, &test_error));
        builder_begin(&b);
        builder_add_source(&b, i == 0 ? 1 : i == 1 ? 100 : SETTLE_SOURCE_NAME_BYTES_MAX);
        EXPECT_OK(builder_commit(&b, &test_error));
        builder_events(&b, 2);
        builder_persisted(&b);
        cr_assert_eq(b.end.persisted_seq, b.end.next_seq - 1);
    }
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer, a_frame_may_take_all_of_its_limit)
{
    begin(SEGMENT_BYTES_MIN);
    builder_note(&b, SEGMENT_BYTES_MIN - SEGMENT_HEADER_BYTES - FRAME_ALIGN);
    cr_assert_eq(b.end.position, SEGMENT_BYTES_MIN - FRAME_ALIGN);
    builder_events(&b, 1);
    cr_assert_eq(b.end.frame_position, SEGMENT_BYTES_MIN + SEGMENT_HEADER_BYTES);
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer, a_segment_is_left_when_fewer_than_FRAME_BYTES_MIN_are_free)
{
    /* The last place at which a frame may begin, and the one behind it. */
    uint64_t last = SEGMENT_BYTES_MIN - FRAME_ALIGN - FRAME_BYTES_MIN;
    last -= last % FRAME_ALIGN;
    for (int more = 0; more < 2; more++) {
        begin(SEGMENT_BYTES_MIN);
        builder_note(&b, last - SEGMENT_HEADER_BYTES + (more == 1 ? FRAME_ALIGN : 0));
        builder_begin(&b);
        uint64_t position = b.buffer.frame.position;
        cr_assert_eq(position, more == 0 ? last : SEGMENT_BYTES_MIN + SEGMENT_HEADER_BYTES);
        cr_assert_geq(b.buffer.limit, FRAME_BYTES_MIN);
        cr_assert_geq(frame_room(&b.buffer), EVENT_BYTES_MAX);
        cr_assert_eq(b.buffer.limit, SEGMENT_BYTES_MIN - FRAME_ALIGN - position % SEGMENT_BYTES_MIN);
        builder_add_event(&b);
        EXPECT_OK(builder_commit(&b, &test_error));
        builder_close(&b);
        expect_built();
        builder_deinit(&b);
    }
}

Test(writer, there_is_always_room_for_a_source_and_for_PERSISTED)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        builder_use_memory();
        builder_init(&b, SEGMENT_BYTES_MIN, SEED + seed);
        builder_events(&b, 1);
        for (int i = 0; i < 3; i++) {
            builder_begin(&b);
            while (builder_add_event(&b))
                ;
            cr_assert_lt(frame_room(&b.buffer), EVENT_BYTES_MAX);
            builder_add_source(&b, SETTLE_SOURCE_NAME_BYTES_MAX);
            builder_add_persisted(&b);
            EXPECT_OK(builder_commit(&b, &test_error));
        }
        builder_close(&b);
        expect_built();
        builder_deinit(&b);
    }
}

Test(writer, the_largest_frame_is_8_MiB)
{
    begin(32 * MIB);
    cr_assert_eq(b.buffer.capacity, 8 * MIB);
    builder_events(&b, 1);
    builder_note(&b, 8 * MIB);
    cr_assert_eq(b.frames[1].frame.length_bytes, 8 * MIB);
    builder_note(&b, 8 * MIB);
    builder_events(&b, 1);
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

Test(writer, the_first_segment_grows_by_doubling)
{
    begin(6 * MIB + 4096);
    uint64_t expected = MIB;
    cr_assert_eq(journal_file_bytes(b.data_fd, name_of(0)), MIB);
    while (b.end.position + 65536 < 6 * MIB) {
        builder_note(&b, 65536);
        while (expected < b.end.position)
            expected = expected * 2 > 6 * MIB ? 6 * MIB + 4096 : expected * 2;
        cr_assert_eq(journal_file_bytes(b.data_fd, name_of(0)), expected, "at %zu", (size_t)b.end.position);
    }
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer, a_frame_longer_than_twice_the_file_grows_it_enough)
{
    begin(16 * MIB);
    builder_note(&b, 5 * MIB + 64);
    cr_assert_eq(journal_file_bytes(b.data_fd, name_of(0)), 6 * MIB);
    builder_close(&b);
    expect_built();
    /* A file without its trailing zeros grows again, as much or as little as it must. */
    journal_file_resize(b.data_fd, name_of(0), b.end.position);
    builder_open(&b);
    builder_note(&b, 1024);
    cr_assert_geq(journal_file_bytes(b.data_fd, name_of(0)), b.end.position);
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer, the_last_64_bytes_of_a_segment_are_zero)
{
    begin(SEGMENT_BYTES_MIN);
    while (b.end.position < 10 * SEGMENT_BYTES_MIN) {
        if (stream_random(&b.stream, 3) == 0 && b.writer != NULL)
            builder_note(&b, 128 + 64 * stream_random(&b.stream, 100));
        else
            builder_random(&b);
    }
    builder_close(&b);
    struct journal_files files;
    journal_files_load(b.data_fd, &files);
    cr_assert_geq(journal_files_segment_count(&files), 10);
    for (size_t i = 0; i < journal_files_segment_count(&files); i++) {
        const struct journal_file *file = journal_files_segment(&files, i);
        cr_assert_eq(file->count, SEGMENT_BYTES_MIN);
        cr_assert(bytes_are_zero(file->bytes + SEGMENT_BYTES_MIN - 64, 64));
    }
    expect_built();
    journal_files_free(&files);
    builder_deinit(&b);
}

Test(writer, a_hundred_small_segments)
{
    begin(SEGMENT_BYTES_MIN);
    while (b.end.position < 100 * SEGMENT_BYTES_MIN)
        builder_events(&b, 40);
    builder_close(&b);
    expect_built();
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    builder_deinit(&b);
}

/* Waits for the helper thread: what is to be seen comes within ten seconds, or not at all. */
static void wait_for_spare(uint64_t bytes)
{
    for (int i = 0; i < 10000 && journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME) != bytes; i++)
        usleep(1000);
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), bytes);
}

Test(writer, the_next_segment_is_made_ready_once_one_is_half_full)
{
    begin(3 * MIB);
    while (b.end.position + MIB / 4 < 3 * MIB / 2)
        builder_note(&b, MIB / 4);
    usleep(20000);
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    builder_note(&b, MIB / 4);
    wait_for_spare(3 * MIB);
    struct stat before, after;
    char path[TEMPDIR_PATH_BYTES], journal[TEMPDIR_PATH_BYTES];
    tempdir_join(journal, b.path, "journal");
    tempdir_join(path, journal, SEGMENT_SPARE_NAME);
    cr_assert_eq(stat(path, &before), 0);
    while (b.end.position < 3 * MIB)
        builder_note(&b, MIB / 4);
    tempdir_join(path, journal, name_of(1));
    cr_assert_eq(stat(path, &after), 0);
    cr_assert_eq(before.st_ino, after.st_ino, "the spare became the segment");
    cr_assert_eq(after.st_size, 3 * MIB);
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer, a_spare_that_was_not_used_goes_with_the_writer)
{
    begin(3 * MIB);
    builder_note(&b, 2 * MIB);
    builder_close(&b); /* waits for the thread */
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    expect_built();
    builder_deinit(&b);
}

Test(writer, a_spare_that_a_crash_left_over_is_never_read)
{
    for (int size = 0; size < 2; size++) {
        uint64_t segment_bytes = size == 0 ? SEGMENT_BYTES_MIN : 3 * MIB;
        begin(segment_bytes);
        char *garbage = malloc(segment_bytes);
        cr_assert_not_null(garbage);
        memset(garbage, 'g', segment_bytes);
        journal_file_write(b.data_fd, SEGMENT_SPARE_NAME, 0, garbage, segment_bytes);
        free(garbage);
        while (b.end.position < segment_bytes)
            builder_note(&b, size == 0 ? 2048 : MIB / 4);
        builder_events(&b, 2);
        builder_close(&b);
        expect_built();
        builder_deinit(&b);
    }
}

Test(writer, a_spare_that_cannot_be_made_is_met_at_the_switch)
{
    char journal[TEMPDIR_PATH_BYTES], spare[TEMPDIR_PATH_BYTES];
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        begin(3 * MIB);
        tempdir_join(journal, b.path, "journal");
        tempdir_join(spare, journal, SEGMENT_SPARE_NAME);
        cr_assert_eq(mkdir(spare, 0700), 0); /* in the way */
        while (b.end.position + MIB / 4 + FRAME_BYTES_MIN + FRAME_ALIGN < 3 * MIB)
            builder_note(&b, MIB / 4);
        builder_align(&b, 0);
        if (is_gone)
            cr_assert_eq(rmdir(spare), 0);
        builder_begin(&b);
        while (b.buffer.frame.position < 3 * MIB) { /* what is left of this segment */
            builder_add_event(&b);
            EXPECT_OK(builder_commit(&b, &test_error));
            builder_begin(&b);
        }
        builder_add_event(&b);
        settle_status status = builder_commit(&b, &test_error);
        if (is_gone) {
            EXPECT_OK(status);
            cr_assert_eq(b.end.position / b.segment_bytes, 1);
        } else {
            cr_assert_neq(status, SETTLE_OK);
            cr_assert_not_null(strstr(test_error.file, SEGMENT_SPARE_NAME));
            cr_assert_eq(rmdir(spare), 0);
        }
        builder_close(&b);
        expect_built();
        builder_deinit(&b);
    }
}

/* ---- Going on --------------------------------------------------------------------------------------------------- */

/* What a writer that starts finds, from the reader. */
static void reopen(struct journal_builder *builder)
{
    struct journal_scan scan;
    builder_close(builder);
    journal_scan(builder->data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.end.position, builder->end.position);
    builder->end = scan.end;
    builder_open(builder);
}

Test(writer, stopping_after_any_frame_makes_no_difference)
{
    enum { FRAMES = 50 };
    struct journal_files whole, other;
    begin(SEGMENT_BYTES_MIN);
    for (size_t i = 0; i < FRAMES; i++)
        builder_random(&b);
    builder_close(&b);
    journal_files_load(b.data_fd, &whole);
    cr_assert_geq(journal_files_segment_count(&whole), 3);
    builder_deinit(&b);
    for (size_t stop = 0; stop <= FRAMES; stop++) { /* FRAMES: after each one */
        begin(SEGMENT_BYTES_MIN);
        for (size_t i = 0; i < FRAMES; i++) {
            if (i == stop || stop == FRAMES)
                reopen(&b);
            builder_random(&b);
        }
        builder_close(&b);
        journal_files_load(b.data_fd, &other);
        cr_assert_null(journal_files_difference(&whole, &other), "stopped after %zu frames", stop);
        journal_files_free(&other);
        builder_deinit(&b);
    }
    journal_files_free(&whole);
}

Test(writer, a_segment_with_a_header_alone_is_gone_on_with)
{
    /* A crash after the switch, before the first frame came; or with it torn, and cut. */
    struct journal_files whole, other;
    begin(SEGMENT_BYTES_MIN);
    while (b.end.position < SEGMENT_BYTES_MIN)
        builder_events(&b, 5);
    builder_close(&b);
    journal_files_load(b.data_fd, &whole);
    struct journal_point end = b.frames[b.frame_count - 2].end;
    cr_assert_lt(end.position, SEGMENT_BYTES_MIN);
    char name[SEGMENT_NAME_BYTES];
    strcpy(name, name_of(1));
    journal_file_resize(b.data_fd, name, SEGMENT_HEADER_BYTES);

    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.tail.torn_position, 0);
    cr_assert_eq(scan.end.position, end.position);
    struct journal_writer *writer = NULL;
    struct frame_buffer buffer;
    EXPECT_OK(journal_writer_open(b.data_fd, &mem_libc, &scan.end, &writer, &test_error));
    EXPECT_OK(frame_buffer_init(writer, &buffer, &test_error));
    /* The same frame once more: its records are on the disk of the journal as it was. */
    const struct frame *frame = &b.frames[b.frame_count - 1].frame;
    const uint8_t *bytes = journal_files_segment(&whole, 1)->bytes + SEGMENT_HEADER_BYTES;
    frame_begin(writer, &buffer, frame->first_seq, frame->time_us);
    cr_assert_eq(buffer.frame.position, frame->position);
    for (uint32_t i = 0; i < frame->record_count; i++) {
        size_t record_bytes = get_u16(bytes + buffer.used);
        memcpy(frame_at_end(&buffer), bytes + buffer.used, record_bytes);
        frame_append(&buffer, record_bytes);
    }
    buffer.frame.event_count = frame->event_count;
    frame_close(writer, &buffer);
    EXPECT_OK(journal_writer_commit(writer, &buffer, &test_error));
    frame_buffer_deinit(writer, &buffer);
    journal_writer_close(writer);
    journal_files_load(b.data_fd, &other);
    cr_assert_null(journal_files_difference(&whole, &other));
    expect_built();
    journal_files_free(&whole);
    journal_files_free(&other);
    builder_deinit(&b);
}

Test(writer, two_frames_can_be_planned_before_the_first_is_committed)
{
    /*
     * The engine fills one frame while the other syncs: the second's position must be known, in the next segment too.
     */
    begin(SEGMENT_BYTES_MIN);
    struct frame_buffer second;
    EXPECT_OK(frame_buffer_init(b.writer, &second, &test_error));
    const settle_asset asset = {1, 8, "BTC"};
    uint64_t position = b.end.position;
    for (int i = 0; i < 300; i++) {
        frame_begin(b.writer, &b.buffer, 1, BUILDER_TIME_US);
        for (int records = 0; records < 20; records++)
            frame_append(&b.buffer, record_encode_asset(frame_at_end(&b.buffer), 0, &asset));
        frame_close(b.writer, &b.buffer);
        frame_begin(b.writer, &second, 1, BUILDER_TIME_US);
        frame_append(&second, record_encode_asset(frame_at_end(&second), 0, &asset));
        cr_assert_geq(b.buffer.frame.position, position);
        cr_assert_geq(second.frame.position, b.buffer.frame.position + b.buffer.frame.length_bytes);
        EXPECT_OK(journal_writer_commit(b.writer, &b.buffer, &test_error));
        expect_watermark(b.buffer.frame.position + b.buffer.frame.length_bytes, true);
        frame_close(b.writer, &second);
        EXPECT_OK(journal_writer_commit(b.writer, &second, &test_error));
        position = second.frame.position + second.frame.length_bytes;
    }
    frame_buffer_deinit(b.writer, &second);
    builder_close(&b);
    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.frame_count, 600);
    cr_assert_eq(scan.end.position, position);
    builder_deinit(&b);
}

Test(writer, a_writer_without_a_journal_is_an_error)
{
    char path[TEMPDIR_BYTES];
    int data_fd = -1;
    struct journal_writer *writer = NULL;
    const struct journal_point end = {.position = SEGMENT_HEADER_BYTES, .next_seq = 1};
    tempdir_make(path);
    EXPECT_OK(dir_open(path, false, &data_fd, &test_error));
    EXPECT_STATUS(journal_writer_open(data_fd, &mem_libc, &end, &writer, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_null(writer);
    journal_writer_close(NULL);
    file_close(data_fd);
    tempdir_remove(path);
}
