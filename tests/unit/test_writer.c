/*
 * test_writer.c — creating a journal, appending frames, and that stopping and going on at any frame gives the same
 * journal. Its files are test_writer_files.c's, failing calls tests/fault/test_journal.c's.
 */
#include "tests/unit/writer_fixture.h"

SETTLE_SUITE(writer);

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
    cr_assert(exists(b.data_fd));
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
        cr_assert_not(exists(data_fd));
        EXPECT_OK(journal_create(data_fd, &mem_libc, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error));
        cr_assert(exists(data_fd));
        EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
        memcpy(ids[i], journal_reader_id(reader), 16);
        journal_reader_close(reader);
        file_close(data_fd);
        tempdir_remove(path);
    }
    cr_assert_neq(memcmp(ids[0], ids[1], 16), 0);
}

Test(writer, nobody_appends_to_a_journal_that_was_only_created)
{
    begin(SEGMENT_BYTES_MIN);
    builder_close(&b);
    const struct journal_files none = {NULL, 0};
    journal_files_store(b.data_fd, &none);
    EXPECT_OK(journal_create(b.data_fd, &mem_libc, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error));
    expect_watermark(SEGMENT_HEADER_BYTES, false);
    builder_deinit(&b);
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
        settle_status status = journal_create(data_fd, &mem_libc, rows[i].asked, BUILDER_TIME_US, &test_error);
        cr_assert_eq(status, rows[i].taken == 0 ? SETTLE_E_INVALID : SETTLE_OK, "row %zu", i);
        cr_assert_eq(exists(data_fd), rows[i].taken != 0);
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
    EXPECT_STATUS(journal_create(b.data_fd, &mem_libc, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error), SETTLE_E_EXISTS);
    expect_built();
    /* One that is damaged is one all the same. */
    journal_file_write(b.data_fd, name_of(0), 20, "damage", 6);
    cr_assert(exists(b.data_fd));
    EXPECT_STATUS(journal_create(b.data_fd, &mem_libc, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error), SETTLE_E_EXISTS);
    builder_deinit(&b);
}

static void *refuse(void *context, void *memory, size_t bytes)
{
    unsigned *left = context;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    if (*left == 0)
        return NULL;
    (*left)--;
    return realloc(memory, bytes);
}

/* Else a new directory would be refused as one that has a journal, and nobody would know that memory was short. */
Test(writer, without_memory_nobody_knows_whether_there_is_a_journal)
{
    unsigned left = 0, failures = 0;
    const struct mem mem = {refuse, &left};
    begin(SEGMENT_BYTES_MIN);
    builder_close(&b);
    for (unsigned allowed = 0;; allowed++) {
        bool result = false;
        left = allowed;
        settle_status status = journal_exists(b.data_fd, &mem, &result, &test_error);
        if (status == SETTLE_OK) {
            cr_assert(result);
            break;
        }
        cr_assert_eq(status, SETTLE_E_NO_MEMORY);
        cr_assert_eq(test_error.status, SETTLE_E_NO_MEMORY);
        cr_assert_not(result);
        left = allowed;
        status = journal_create(b.data_fd, &mem, SEGMENT_BYTES_MIN, BUILDER_TIME_US, &test_error);
        cr_assert_eq(status, SETTLE_E_NO_MEMORY);
        failures++;
    }
    cr_assert_gt(failures, 0);
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

Test(writer, a_frame_without_room_for_more_than_what_is_kept_has_none)
{
    const size_t kept = SOURCE_BYTES_MAX + PERSISTED_BYTES + FRAME_TRAILER_BYTES + FRAME_ALIGN;
    struct frame_buffer buffer = {.limit = 4096};
    static const size_t rows[] = {1, 0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        buffer.used = 4096 - kept - rows[i];
        cr_assert_eq(frame_room(&buffer), rows[i]);
    }
    for (buffer.used = 4096 - kept; buffer.used <= 4096; buffer.used += 8)
        cr_assert_eq(frame_room(&buffer), 0);
}
