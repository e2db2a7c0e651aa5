/*
 * test_segment_files.c — journals whose segments are missing, repeated, renamed, swapped, another journal's, older,
 * cut or too long: each is refused, with the file named.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

SETTLE_SUITE(segment_files);

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The header's checksum is right, whatever its fields are. */
static void seal(uint8_t bytes[SEGMENT_HEADER_BYTES])
{
    put_u32(bytes + SEGMENT_CRC, crc32c(0, bytes, SEGMENT_CRC));
}

/* ---- Directories ------------------------------------------------------------------------------------------------ */

static struct journal_builder builder;
static struct journal_files files;

/* A closed journal of at least `segments` segments of 16 KiB; `files` are its files. */
static void build(size_t segments, uint64_t seed)
{
    builder_use_memory();
    builder_init(&builder, SEGMENT_BYTES_MIN, seed);
    while (builder.end.position / SEGMENT_BYTES_MIN + 1 < segments || builder.frame_count % 3 != 0)
        builder_random(&builder);
    builder_close(&builder);
    journal_files_load(builder.data_fd, &files);
}

static void unbuild(void)
{
    journal_files_free(&files);
    builder_deinit(&builder);
}

static const char *name_of(uint64_t ordinal)
{
    const struct journal_file *file = journal_files_segment(&files, ordinal);
    cr_assert_not_null(file);
    return file->name;
}

/* The reader refuses the journal, and names one of these files. */
static void expect_refused(const char *what, const char *name, const char *or_name)
{
    struct journal_scan scan;
    journal_scan(builder.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT, "%s: status %d %s", what, scan.status, scan.error.text);
    bool is_named = strstr(scan.error.file, name) != NULL || strstr(scan.error.text, name) != NULL;
    if (or_name != NULL)
        is_named = is_named || strstr(scan.error.file, or_name) != NULL;
    cr_assert(is_named, "%s: names '%s': %s", what, scan.error.file, scan.error.text);
}

static void expect_sound(const char *what)
{
    struct journal_scan scan;
    journal_scan(builder.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s: status %d %s", what, scan.status, expect_describe(&scan.error));
    cr_assert_eq(scan.frame_count, builder.frame_count, "%s", what);
    cr_assert_eq(scan.end.position, builder.end.position, "%s", what);
    cr_assert_eq(scan.tail.torn_position, 0, "%s", what);
}

/* Whether the journal holds all that was written to it: the store's question. */
static settle_status confirm(settle_error *error)
{
    struct journal_reader *reader = NULL;
    settle_status status = journal_reader_open(builder.data_fd, &mem_libc, &reader, error);
    if (status == SETTLE_OK)
        status = journal_reader_confirm(reader, &builder.end, error);
    journal_reader_close(reader);
    return status;
}

Test(segment_files, the_list_is_in_order_and_passes_other_files_over)
{
    build(4, 1);
    static const char *const others[] = {"spare", "00000000000000000001-000000.seg.torn-512", "0-0.seg", "x",
                                         ".hidden"};
    for (size_t i = 0; i < COUNT(others); i++)
        journal_file_write(builder.data_fd, others[i], 0, "x", 1);
    int journal_fd = -1;
    struct segment_list list;
    EXPECT_OK(dir_open_at(builder.data_fd, "journal", false, &journal_fd, &test_error));
    EXPECT_OK(segment_list_read(journal_fd, &mem_libc, &list, &test_error));
    cr_assert_eq(list.count, journal_files_segment_count(&files));
    cr_assert_geq(list.count, 4);
    for (size_t i = 0; i < list.count; i++) {
        cr_assert_eq(list.entries[i].header.ordinal, i);
        cr_assert_str_eq(list.entries[i].name, name_of(i));
    }
    segment_list_free(&list);
    cr_assert_null(list.entries);
    file_close(journal_fd);
    expect_sound("other files");
    unbuild();
}

Test(segment_files, a_directory_without_segments_is_no_journal)
{
    build(1, 1);
    journal_file_remove(builder.data_fd, name_of(0));
    struct journal_scan scan;
    journal_scan(builder.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_NOT_FOUND);
    unbuild();
}

Test(segment_files, a_missing_segment_is_named)
{
    build(5, 2);
    size_t count = journal_files_segment_count(&files);
    for (size_t i = 0; i < count; i++) {
        journal_file_remove(builder.data_fd, name_of(i));
        if (i + 1 < count) {
            struct journal_scan scan;
            expect_refused("missing", name_of(i + 1), NULL);
            journal_scan(builder.data_fd, &scan);
            cr_assert_not_null(strstr(scan.error.text, "missing"), "%s", scan.error.text);
        } else { /* only who knows how far it went can tell */
            EXPECT_STATUS(confirm(&test_error), SETTLE_E_CORRUPT);
            cr_assert_str_eq(test_error.file, "journal"); /* no file of it */
            cr_assert_eq(test_error.seq, builder.end.next_seq - 1);
        }
        journal_files_store(builder.data_fd, &files);
        expect_sound("whole again");
        EXPECT_OK(confirm(&test_error));
    }
    unbuild();
}

Test(segment_files, a_copy_under_another_name_is_named)
{
    build(3, 3);
    for (uint64_t i = 0; i < 3; i++) {
        const struct journal_file *file = journal_files_segment(&files, i);
        uint64_t first_seq, ordinal;
        char name[SEGMENT_NAME_BYTES];
        cr_assert(segment_name_parse(file->name, &first_seq, &ordinal));
        for (int other = 0; other < 3; other++) {
            segment_name(first_seq + (other == 0), other == 1 ? 9 : other == 2 ? ordinal + 1 : ordinal, name);
            if (journal_file_bytes(builder.data_fd, name) != UINT64_MAX)
                continue;
            journal_file_write(builder.data_fd, name, 0, file->bytes, file->count);
            expect_refused("copy", name, NULL);
            journal_file_remove(builder.data_fd, name);
        }
    }
    expect_sound("whole again");
    unbuild();
}

Test(segment_files, a_renamed_segment_is_named)
{
    build(4, 4);
    static const char *const names[] = {"00000000000000000002-000000.seg", "00000000000000000001-000009.seg",
                                        "99999999999999999999-999999.seg",
                                        "00000000000000000001-99999999999999999999.seg"};
    for (size_t i = 0; i < journal_files_segment_count(&files); i++) {
        journal_file_rename(builder.data_fd, name_of(i), names[0]);
        expect_refused("renamed", names[0], NULL);
        journal_file_rename(builder.data_fd, names[0], names[1]);
        expect_refused("renamed", names[1], NULL);
        /* Too large for a number: no segment's name, so the segment is missing. */
        journal_file_rename(builder.data_fd, names[1], names[2]);
        if (i + 1 < journal_files_segment_count(&files))
            expect_refused("renamed", name_of(i + 1), NULL);
        journal_file_rename(builder.data_fd, names[2], names[3]);
        if (i + 1 < journal_files_segment_count(&files))
            expect_refused("renamed", name_of(i + 1), NULL);
        journal_file_rename(builder.data_fd, names[3], name_of(i));
    }
    expect_sound("whole again");
    unbuild();
}

Test(segment_files, swapped_segments_are_named)
{
    build(4, 5);
    size_t count = journal_files_segment_count(&files);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            const struct journal_file *a = journal_files_segment(&files, i), *b = journal_files_segment(&files, j);
            journal_file_write(builder.data_fd, a->name, 0, b->bytes, b->count);
            journal_file_write(builder.data_fd, b->name, 0, a->bytes, a->count);
            expect_refused("swapped", a->name, b->name);
            journal_files_store(builder.data_fd, &files);
        }
    }
    expect_sound("whole again");
    unbuild();
}

/* Makes each segment in turn the one of the same ordinal in `others`, and its name. */
static void expect_strangers_refused(const char *what, const struct journal_files *others)
{
    for (size_t i = 0; i < journal_files_segment_count(&files); i++) {
        const struct journal_file *stranger = journal_files_segment(others, i);
        cr_assert_not_null(stranger);
        journal_file_remove(builder.data_fd, name_of(i));
        journal_file_write(builder.data_fd, stranger->name, 0, stranger->bytes, stranger->count);
        if (i + 1 == journal_files_segment_count(&files) && i > 0)
            expect_refused(what, stranger->name, name_of(i - 1));
        else
            expect_refused(what, stranger->name, name_of(i + 1));
        journal_files_store(builder.data_fd, &files);
    }
    expect_sound("whole again");
}

Test(segment_files, a_segment_of_another_journal_is_named)
{
    build(3, 6);
    struct journal_files others;
    journal_files_load(builder.data_fd, &others);
    /* The same events at the same positions, in a journal of another id. */
    for (size_t i = 0; i < journal_files_segment_count(&others); i++) {
        struct journal_file *file = journal_files_segment(&others, i);
        file->bytes[SEGMENT_JOURNAL_ID] ^= 1;
        seal(file->bytes);
    }
    expect_strangers_refused("another id", &others);
    journal_files_free(&others);
    unbuild();
}

Test(segment_files, a_segment_of_another_history_is_named)
{
    /* The same journal, from a backup on which somebody went on: same id, same positions, other events. */
    build(3, 7);
    struct journal_builder mine = builder;
    struct journal_files mine_files = files;
    build(3, 8);
    struct journal_builder other = builder;
    struct journal_files others = files;
    builder = mine;
    files = mine_files;
    expect_strangers_refused("another history", &others);
    unbuild();
    builder = other;
    files = others;
    unbuild();
}

Test(segment_files, a_segment_of_another_size_is_named)
{
    build(2, 9);
    struct journal_file *file = journal_files_segment(&files, 1);
    put_u64(file->bytes + SEGMENT_SIZE, 2 * SEGMENT_BYTES_MIN);
    seal(file->bytes);
    journal_file_write(builder.data_fd, file->name, 0, file->bytes, SEGMENT_HEADER_BYTES);
    expect_refused("another size", file->name, NULL);
    unbuild();
}

Test(segment_files, an_empty_first_segment_must_begin_a_journal)
{
    for (int change = 0; change < 3; change++) {
        build(1, 18);
        struct segment_header header;
        uint8_t bytes[SEGMENT_HEADER_BYTES];
        char name[SEGMENT_NAME_BYTES];
        EXPECT_OK(segment_header_decode(files.files[0].bytes, files.files[0].name, &header, &test_error));
        header.first_seq += change == 1;
        header.previous_chain ^= change == 2;
        segment_name(header.first_seq, 0, name);
        segment_header_encode(&header, bytes);
        journal_file_remove(builder.data_fd, files.files[0].name);
        journal_file_write(builder.data_fd, name, 0, bytes, sizeof bytes);
        struct journal_scan scan;
        journal_scan(builder.data_fd, &scan);
        if (change == 0)
            cr_assert_eq(scan.status, SETTLE_OK, "%s", expect_describe(&scan.error));
        else
            expect_refused(change == 1 ? "another seq" : "another chain", name, NULL);
        unbuild();
    }
}

Test(segment_files, an_empty_last_segment_must_follow_too)
{
    /* It has no frame that could tell. */
    build(2, 17);
    while (journal_files_segment_count(&files) > 2)
        journal_files_segment(&files, 2)->name[0] = 'x';
    struct journal_file *file = journal_files_segment(&files, 1);
    memset(file->bytes + SEGMENT_HEADER_BYTES, 0, file->count - SEGMENT_HEADER_BYTES);
    journal_files_store(builder.data_fd, &files);
    struct journal_scan scan;
    journal_scan(builder.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s", expect_describe(&scan.error));
    cr_assert_lt(scan.end.position, SEGMENT_BYTES_MIN);
    for (int change = 0; change < 2; change++) {
        struct segment_header header;
        uint8_t bytes[SEGMENT_HEADER_BYTES];
        char name[SEGMENT_NAME_BYTES];
        EXPECT_OK(segment_header_decode(file->bytes, file->name, &header, &test_error));
        header.previous_chain ^= change == 0;
        header.first_seq += change == 1;
        segment_name(header.first_seq, header.ordinal, name);
        segment_header_encode(&header, bytes);
        journal_file_remove(builder.data_fd, file->name);
        journal_file_write(builder.data_fd, name, 0, bytes, sizeof bytes);
        expect_refused(change == 0 ? "another chain" : "another seq", name, NULL);
        journal_files_store(builder.data_fd, &files);
    }
    unbuild();
}

Test(segment_files, an_older_copy_is_noticed)
{
    /* After every frame, the last segment as it was then; put back once the journal has gone on. */
    enum { FRAMES = 40 };
    static struct journal_files copies[FRAMES];
    static struct journal_point ends[FRAMES];
    builder_use_memory();
    builder_init(&builder, SEGMENT_BYTES_MIN, 10);
    for (size_t i = 0; i < FRAMES; i++) {
        builder_random(&builder);
        journal_files_load(builder.data_fd, &copies[i]);
        ends[i] = builder.end;
    }
    builder_close(&builder);
    journal_files_load(builder.data_fd, &files);
    size_t count = journal_files_segment_count(&files), refused = 0;
    cr_assert_geq(count, 3);
    for (size_t i = 0; i + 1 < FRAMES; i++) {
        size_t ordinal = journal_files_segment_count(&copies[i]) - 1;
        const struct journal_file *older = journal_files_segment(&copies[i], ordinal);
        if (ends[i + 1].position / SEGMENT_BYTES_MIN > ordinal)
            continue; /* it was complete by then */
        journal_file_write(builder.data_fd, older->name, 0, older->bytes, older->count);
        if (ordinal + 1 < count)
            expect_refused("an older copy", older->name, NULL);
        else
            EXPECT_STATUS(confirm(&test_error), SETTLE_E_CORRUPT);
        cr_assert(ordinal + 1 < count || strstr(test_error.file, older->name) != NULL, "%s", test_error.file);
        journal_files_store(builder.data_fd, &files);
        refused++;
    }
    cr_assert_gt(refused, FRAMES / 2);
    expect_sound("whole again");
    for (size_t i = 0; i < FRAMES; i++)
        journal_files_free(&copies[i]);
    unbuild();
}

/* ---- Files that are too short, too long, or not what they must be ----------------------------------------------- */

/* Offset in the segment behind its last frame. */
static uint64_t content_end(uint64_t ordinal)
{
    uint64_t end = SEGMENT_HEADER_BYTES;
    for (size_t i = 0; i < builder.frame_count; i++) {
        const struct frame *frame = &builder.frames[i].frame;
        if (frame->position / SEGMENT_BYTES_MIN == ordinal)
            end = frame->position % SEGMENT_BYTES_MIN + frame->length_bytes;
    }
    return end;
}

Test(segment_files, trailing_zeros_may_be_missing)
{
    build(3, 11);
    for (size_t i = 0; i < journal_files_segment_count(&files); i++) {
        for (uint64_t bytes = content_end(i); bytes < SEGMENT_BYTES_MIN; bytes += 1 + bytes % 61) {
            journal_file_resize(builder.data_fd, name_of(i), bytes);
            expect_sound("shortened");
        }
        journal_file_resize(builder.data_fd, name_of(i), content_end(i));
    }
    expect_sound("all shortened");
    unbuild();
}

Test(segment_files, any_byte_behind_the_frames_of_a_sealed_segment_is_damage)
{
    build(3, 12);
    for (uint64_t ordinal = 0; ordinal < 2; ordinal++) {
        for (uint64_t at = content_end(ordinal); at < SEGMENT_BYTES_MIN; at++) {
            journal_file_write(builder.data_fd, name_of(ordinal), at, "\x10", 1);
            expect_refused("a byte behind the frames", name_of(ordinal), NULL);
            journal_file_write(builder.data_fd, name_of(ordinal), at, "", 1);
        }
    }
    expect_sound("whole again");
    unbuild();
}

Test(segment_files, a_file_longer_than_a_segment_is_damage)
{
    build(3, 13);
    for (size_t i = 0; i < journal_files_segment_count(&files); i++) {
        for (uint64_t more = 1; more <= 8192; more += 4095) {
            journal_file_resize(builder.data_fd, name_of(i), SEGMENT_BYTES_MIN + more);
            expect_refused("longer, with zeros", name_of(i), NULL);
            journal_file_write(builder.data_fd, name_of(i), SEGMENT_BYTES_MIN + more - 1, "x", 1);
            expect_refused("longer", name_of(i), NULL);
        }
        journal_file_resize(builder.data_fd, name_of(i), SEGMENT_BYTES_MIN);
    }
    expect_sound("whole again");
    unbuild();
}

Test(segment_files, a_sealed_segment_cut_anywhere_in_its_frames_is_damage)
{
    build(3, 14);
    for (uint64_t ordinal = 0; ordinal < 2; ordinal++) {
        for (uint64_t bytes = 0; bytes < content_end(ordinal); bytes++) {
            journal_file_resize(builder.data_fd, name_of(ordinal), bytes);
            expect_refused("cut", name_of(ordinal), NULL);
            journal_file_write(builder.data_fd, name_of(ordinal), 0, files.files[ordinal].bytes,
                               files.files[ordinal].count);
        }
    }
    expect_sound("whole again");
    unbuild();
}

Test(segment_files, the_last_segment_cut_in_its_frames_is_torn_there)
{
    build(3, 15);
    uint64_t last = journal_files_segment_count(&files) - 1;
    const struct journal_file *file = journal_files_segment(&files, last);
    size_t frames = 0; /* that end before the cut */
    while (frames < builder.frame_count && builder.frames[frames].frame.position / SEGMENT_BYTES_MIN < last)
        frames++;
    for (uint64_t bytes = SEGMENT_HEADER_BYTES; bytes <= content_end(last); bytes++) {
        struct journal_scan scan;
        journal_file_resize(builder.data_fd, file->name, bytes);
        journal_scan(builder.data_fd, &scan);
        cr_assert_eq(scan.status, SETTLE_OK, "cut at %zu: %s", (size_t)bytes, expect_describe(&scan.error));
        while (frames < builder.frame_count && builder.frames[frames].end.position <= last * SEGMENT_BYTES_MIN + bytes)
            frames++;
        cr_assert_eq(scan.frame_count, frames, "cut at %zu", (size_t)bytes);
        uint64_t cut = last * SEGMENT_BYTES_MIN + bytes, begin = last * SEGMENT_BYTES_MIN + SEGMENT_HEADER_BYTES;
        if (scan.end.position > begin)
            begin = scan.end.position;
        cr_assert_eq(scan.tail.torn_position, cut > begin ? begin : 0, "cut at %zu", (size_t)bytes);
        if (bytes < content_end(last)) /* who knows how far it went is not content */
            EXPECT_STATUS(confirm(&test_error), SETTLE_E_CORRUPT);
        journal_file_write(builder.data_fd, file->name, 0, file->bytes, file->count);
    }
    for (uint64_t bytes = 0; bytes < SEGMENT_HEADER_BYTES; bytes++) {
        journal_file_resize(builder.data_fd, file->name, bytes);
        expect_refused("cut in the header", file->name, NULL);
    }
    unbuild();
}

Test(segment_files, a_segment_that_is_no_regular_file_is_refused)
{
    build(2, 16);
    char from[TEMPDIR_PATH_BYTES], to[TEMPDIR_PATH_BYTES], journal[TEMPDIR_PATH_BYTES];
    tempdir_join(journal, builder.path, "journal");
    tempdir_join(from, journal, name_of(1));
    tempdir_join(to, journal, "elsewhere");
    struct journal_scan scan;
    cr_assert_eq(rename(from, to), 0);
    cr_assert_eq(symlink("elsewhere", from), 0);
    journal_scan(builder.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_ACCESS);
    cr_assert_not_null(strstr(scan.error.file, name_of(1)));
    cr_assert_eq(unlink(from), 0);
    cr_assert_eq(mkdir(from, 0700), 0);
    journal_scan(builder.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_ACCESS);
    cr_assert_not_null(strstr(scan.error.file, name_of(1)));
    unbuild();
}
