/*
 * test_recover_flips.c — every bit of a journal of two segments flipped in turn: refused each time, with the segment,
 * the record and the seq; never taken for torn, never accepted. The zeros between and behind the frames are
 * test_segment.c's.
 */
#include "tests/lib/frame_place.h"
#include "tests/unit/recover_scene.h"

SETTLE_SUITE(recover_flips);

#define SEED stream_seed(7)

/* Flips each bit of a frame and puts it back. */
static void flip_frame(const struct journal_builder *b, const struct journal_files *files, size_t index)
{
    const struct frame *frame = &b->frames[index].frame;
    const struct journal_file *file = journal_files_segment(files, frame->position / b->segment_bytes);
    uint64_t end_before = index == 0 ? SEGMENT_HEADER_BYTES : b->frames[index - 1].end.position;
    uint64_t offset = frame->position % b->segment_bytes;
    uint8_t *bytes = file->bytes + offset;
    for (size_t bit = 0; bit < 8 * frame->length_bytes; bit++) {
        struct journal_scan scan;
        struct frame_place place = frame_place(bytes, bit / 8);
        uint8_t changed = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
        journal_file_write(b->data_fd, file->name, offset + bit / 8, &changed, 1);
        journal_scan(b->data_fd, &scan);
        cr_assert_eq(scan.status, SETTLE_E_CORRUPT, "bit %zu of the frame at %zu: status %d", bit, (size_t)offset,
                     scan.status);
        cr_assert_not_null(strstr(scan.error.file, file->name));
        cr_assert_eq(scan.error.offset_bytes, offset + place.begin, "bit %zu of the frame at %zu: found at %zu: %s",
                     bit, (size_t)offset, (size_t)scan.error.offset_bytes, scan.error.text);
        cr_assert_eq(scan.error.seq, place.seq, "bit %zu of the frame at %zu: seq %zu, not %zu", bit, (size_t)offset,
                     (size_t)scan.error.seq, (size_t)place.seq);
        cr_assert_eq(scan.end.position, end_before);
        journal_file_write(b->data_fd, file->name, offset + bit / 8, &bytes[bit / 8], 1);
    }
}

/* Frames of every kind of record. */
static void build_frames(struct journal_builder *b)
{
    builder_events(b, 3);
    builder_begin(b);
    builder_add_asset(b);
    builder_add_event(b);
    builder_add_source(b, 21);
    builder_add_persisted(b);
    EXPECT_OK(builder_commit(b, &test_error));
    builder_persisted(b);
    builder_events(b, 2);
}

/* Two segments of such frames; `part` of four takes every fourth frame, so that the parts run side by side. */
static void flip_frames(size_t part)
{
    static struct journal_builder b;
    struct journal_files files;
    struct journal_scan scan;
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    build_frames(&b);
    while (b.end.position < SEGMENT_BYTES_MIN)
        builder_note(&b, 512);
    build_frames(&b);
    builder_close(&b);
    journal_files_load(b.data_fd, &files);
    cr_assert_eq(journal_files_segment_count(&files), 2);
    for (size_t i = part; i < b.frame_count; i += 4)
        if (i <= 4 || i + 4 >= b.frame_count) /* of the notes, one is enough */
            flip_frame(&b, &files, i);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.frame_count, b.frame_count);
    journal_files_free(&files);
    builder_deinit(&b);
}

Test(recover_flips, every_flipped_bit_of_every_frame_is_found_0)
{
    flip_frames(0);
}

Test(recover_flips, every_flipped_bit_of_every_frame_is_found_1)
{
    flip_frames(1);
}

Test(recover_flips, every_flipped_bit_of_every_frame_is_found_2)
{
    flip_frames(2);
}

Test(recover_flips, every_flipped_bit_of_every_frame_is_found_3)
{
    flip_frames(3);
}

Test(recover_flips, every_flipped_bit_of_a_segment_header_is_found)
{
    static struct journal_builder b;
    struct journal_files files;
    struct journal_scan scan;
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    while (b.end.position < SEGMENT_BYTES_MIN)
        builder_random(&b);
    builder_close(&b);
    journal_files_load(b.data_fd, &files);
    for (size_t ordinal = 0; ordinal < 2; ordinal++) {
        const struct journal_file *file = journal_files_segment(&files, ordinal);
        for (size_t bit = 0; bit < (size_t)8 * SEGMENT_HEADER_BYTES; bit++) {
            uint8_t changed = (uint8_t)(file->bytes[bit / 8] ^ 1u << bit % 8);
            journal_file_write(b.data_fd, file->name, bit / 8, &changed, 1);
            journal_scan(b.data_fd, &scan);
            cr_assert_eq(scan.status, SETTLE_E_CORRUPT, "bit %zu of header %zu", bit, ordinal);
            cr_assert_not_null(strstr(scan.error.file, file->name));
            cr_assert_eq(scan.error.offset_bytes, 0);
            journal_file_write(b.data_fd, file->name, bit / 8, &file->bytes[bit / 8], 1);
        }
    }
    journal_files_free(&files);
    builder_deinit(&b);
}

Test(recover_flips, bytes_in_the_zeros_behind_the_last_frame_lose_nothing)
{
    /* Nothing was there, so nothing is lost; what it looks like depends on the place. */
    struct scene scene;
    scene_build(&scene, 320, 4, SEED);
    struct journal_builder *b = &scene.builder;
    for (size_t at = 0; at < 2048; at++) {
        uint64_t offset = scene.offset + scene.length + at;
        journal_file_write(b->data_fd, scene.segment, offset, "\x40", 1);
        journal_scan(b->data_fd, &scene.scan);
        if (scene.scan.status == SETTLE_OK) {
            cr_assert_eq(scene.scan.frame_count, b->frame_count);
            cr_assert_eq(scene.scan.tail.torn_position, b->end.position);
            cr_assert_eq(scene.scan.tail.torn_bytes, at + 1);
        } else {
            cr_assert_eq(scene.scan.status, SETTLE_E_CORRUPT);
            cr_assert_eq(scene.scan.error.offset_bytes, scene.offset + scene.length);
        }
        journal_file_write(b->data_fd, scene.segment, offset, "", 1);
    }
    scene_free(&scene);
}
