/*
 * test_recover.c — the decision table of docs/journal-format.md, "Recovery": each row by name, and all that a crash
 * can leave of a frame, at every byte and in every subset of its sectors. SETTLE_TEST_SEED=N makes other frames.
 */
#include "tests/unit/recover_scene.h"

SETTLE_SUITE(recover);

#define ALIGNMENTS (FORMAT_SECTOR_BYTES / FRAME_ALIGN)
#define SEED stream_seed(20241210)

/* ---- Everything a crash leaves ---------------------------------------------------------------------------------- */

Test(recover, a_frame_torn_at_any_byte_is_torn)
{
    static const size_t sizes[] = {1, 2, 4};
    for (size_t align = 0; align < ALIGNMENTS; align++) {
        for (size_t size = 0; size < 3; size++) {
            struct scene scene;
            scene_build(&scene, align * FRAME_ALIGN, sizes[size], SEED + size);
            for (size_t bytes = 0; bytes <= scene.length; bytes++) {
                memcpy(scene.state, scene.whole, bytes);
                memset(scene.state + bytes, 0, scene.length - bytes);
                scene_expect_crash(&scene, "prefix", bytes);
            }
            scene_free(&scene);
        }
    }
}

Test(recover, any_sectors_of_a_frame_are_torn)
{
    size_t seen[8] = {0};
    for (size_t align = 0; align < ALIGNMENTS; align++) {
        for (size_t i = 0; i < 14; i++) {
            struct scene scene;
            scene_build(&scene, align * FRAME_ALIGN, 1 + i % 7, SEED + i);
            size_t sectors = sector_count(&scene);
            if (sectors <= 7) {
                for (uint64_t kept = 0; kept < UINT64_C(1) << sectors; kept++) {
                    scene_keep_sectors(&scene, kept);
                    scene_expect_crash(&scene, "subset", (size_t)kept);
                }
                seen[sectors]++;
            }
            scene_free(&scene);
        }
    }
    for (size_t sectors = 2; sectors < 8; sectors++)
        cr_assert_gt(seen[sectors], 0, "no frame of %zu sectors", sectors);
}

Test(recover, random_sectors_of_a_large_frame_are_torn)
{
    for (size_t align = 0; align < ALIGNMENTS; align++) {
        struct scene scene;
        scene_build(&scene, align * FRAME_ALIGN, 20 + 5 * align, SEED);
        struct stream *random = &scene.builder.stream;
        for (size_t i = 0; i < 300; i++) {
            uint64_t missing = i % 3; /* one, a few, about half of them */
            memcpy(scene.state, scene.whole, scene.length);
            for (size_t sector = 0; sector < sector_count(&scene); sector++) {
                if (missing == 0 ? sector == i / 3 : stream_random(random, missing == 1 ? 16 : 2) == 0)
                    memset(scene.state + sector_begin(&scene, sector), 0,
                           sector_end(&scene, sector) - sector_begin(&scene, sector));
            }
            scene_expect_crash(&scene, "random subset", i);
        }
        scene_free(&scene);
    }
}

Test(recover, some_sectors_and_a_part_of_the_last_are_torn)
{
    /* A write that was cut short at a byte, of which the disk took any sectors. */
    for (size_t align = 0; align < ALIGNMENTS; align += 3) {
        struct scene scene;
        scene_build(&scene, align * FRAME_ALIGN, 3, SEED + 2);
        size_t sectors = sector_count(&scene);
        cr_assert(sectors >= 2 && sectors <= 7);
        for (uint64_t kept = 0; kept < UINT64_C(1) << (sectors - 1); kept++) {
            for (size_t last = 0; last < sectors; last++) {
                size_t begin = sector_begin(&scene, last), end = sector_end(&scene, last);
                if (kept >> last != 0 && last > 0)
                    continue; /* counted with an earlier one */
                for (size_t bytes = begin; bytes < end; bytes += 1 + (bytes - begin) / 40) {
                    scene_keep_sectors(&scene, kept & ((UINT64_C(1) << last) - 1));
                    memcpy(scene.state + begin, scene.whole + begin, bytes - begin);
                    scene_expect_crash(&scene, "sectors, and a part up to", bytes);
                }
            }
        }
        scene_free(&scene);
    }
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

static void expect_damaged(struct scene *scene, const char *sentence)
{
    enum verdict verdict = scene_judge_disk(scene);
    cr_assert_eq(verdict, DAMAGED, "%s: %s", sentence, verdict_names[verdict]);
    cr_assert_str_eq(scene->scan.error.text, sentence);
    cr_assert_not_null(strstr(scene->scan.error.file, scene->segment));
}

/* Bytes behind the frame's place. */
static void put_behind(struct scene *scene, uint64_t bytes_behind, const void *bytes, size_t count)
{
    journal_file_write(scene->builder.data_fd, scene->segment, scene->offset + bytes_behind, bytes, count);
}

Test(recover, zeros_are_the_journals_end)
{
    struct scene scene;
    scene_build(&scene, 128, 4, SEED);
    memset(scene.state, 0, scene.length);
    cr_assert_eq(scene_judge(&scene), CLEAN);
    journal_file_resize(scene.builder.data_fd, scene.segment, scene.offset);
    cr_assert_eq(scene_judge_disk(&scene), CLEAN);
    scene_free(&scene);
}

Test(recover, a_valid_frame_counts_whatever_stands_behind_it)
{
    struct scene scene;
    scene_build(&scene, 128, 4, SEED);
    cr_assert_eq(scene_judge_disk(&scene), WHOLE);
    put_behind(&scene, scene.length, "FRM", 3);
    journal_scan(scene.builder.data_fd, &scene.scan);
    cr_assert_eq(scene.scan.status, SETTLE_OK);
    cr_assert_eq(scene.scan.frame_count, scene.builder.frame_count);
    cr_assert_eq(scene.scan.tail.torn_position, scene.builder.end.position);
    cr_assert_eq(scene.scan.tail.torn_bytes, 3);
    scene_free(&scene);
}

Test(recover, a_header_whose_frame_has_no_end_is_torn)
{
    struct scene scene;
    scene_build(&scene, 448, 4, SEED);
    memset(scene.state + FRAME_HEADER_BYTES, 0, scene.length - FRAME_HEADER_BYTES);
    cr_assert_eq(scene_judge(&scene), TORN);
    memcpy(scene.state, scene.whole, scene.length);
    scene.state[scene.length - 1] = 0;
    cr_assert_eq(scene_judge(&scene), TORN);
    scene_free(&scene);
}

Test(recover, a_header_whose_frame_lacks_a_sector_is_torn)
{
    struct scene scene;
    scene_build(&scene, 448, 4, SEED);
    scene_keep_sectors(&scene, ~(uint64_t)4);
    cr_assert_eq(scene_judge(&scene), TORN);
    /* A disk writes a sector whole or not at all: one zero byte too few, and it is none that is missing. */
    scene.state[sector_begin(&scene, 2)] = scene.whole[sector_begin(&scene, 2)];
    scene.state[sector_end(&scene, 2) - 1] = 1;
    cr_assert_eq(scene_judge(&scene), DAMAGED);
    scene_free(&scene);
}

Test(recover, a_frame_whole_in_length_but_wrong_is_damaged)
{
    struct scene scene;
    scene_build(&scene, 448, 4, SEED);
    scene.state[FRAME_HEADER_BYTES + RECORD_CRC] ^= 1;
    cr_assert_eq(scene_judge(&scene), DAMAGED);
    expect_damaged(&scene, "a record's checksum does not fit");
    cr_assert_eq(scene.scan.error.offset_bytes, scene.offset + FRAME_HEADER_BYTES);
    scene_free(&scene);
}

Test(recover, a_torn_frame_with_something_behind_it_is_damaged)
{
    for (size_t behind = 0; behind < 3; behind++) {
        struct scene scene;
        scene_build(&scene, 448, 4, SEED);
        scene_keep_sectors(&scene, ~(uint64_t)2);
        cr_assert_eq(scene_judge(&scene), TORN);
        static const size_t places[] = {0, 4096, 16000};
        put_behind(&scene, scene.length + places[behind], "x", 1);
        cr_assert_eq(scene_judge_disk(&scene), DAMAGED);
        scene_free(&scene);
    }
}

/* A frame like the last one, its checksums right, that does not follow. */
static void forge(struct scene *scene, int change)
{
    const struct built_frame *last = &scene->builder.frames[scene->builder.frame_count - 1];
    struct frame frame = last->frame;
    frame.first_seq += change == 0;
    frame.first_seq -= change == 1;
    frame.previous_chain ^= change == 2;
    frame.time_us = change == 3 ? BUILDER_TIME_US - 1 : frame.time_us;
    uint8_t id[16];
    memcpy(id, builder_journal_id, 16);
    id[0] ^= change == 4;
    frame.position += change == 5 ? FRAME_ALIGN : 0;
    size_t used = FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < frame.record_count; i++)
        used += get_u16(scene->whole + used);
    memcpy(scene->state, scene->whole, scene->length);
    frame_seal(&frame, scene->state, used, id);
}

Test(recover, a_header_that_does_not_follow_is_damaged_whatever_comes_after_it)
{
    static const char *const sentences[] = {
        "events are missing before this frame",
        "the frame repeats sequence numbers",
        "the chain is broken: the frame follows another history",
        "the frame's time is before the time already recorded",
        "the frame header's checksum does not fit", /* another journal's */
        "the frame was written for another place",
    };
    for (int change = 0; change < 6; change++) {
        struct scene scene;
        scene_build(&scene, 448, 4, SEED);
        forge(&scene, change);
        cr_assert_eq(scene_judge(&scene), DAMAGED);
        if (change < 4)
            expect_damaged(&scene, sentences[change]);
        memset(scene.state + FRAME_HEADER_BYTES, 0, scene.length - FRAME_HEADER_BYTES);
        cr_assert_eq(scene_judge(&scene), DAMAGED);
        expect_damaged(&scene, sentences[change]);
        cr_assert_eq(scene.scan.error.offset_bytes, scene.offset);
        cr_assert_eq(scene.scan.error.seq, scene.builder.frames[scene.builder.frame_count - 1].frame.first_seq);
        scene_free(&scene);
    }
}

Test(recover, a_torn_header_without_a_later_frame_is_torn)
{
    struct scene scene;
    scene_build(&scene, 192, 4, SEED);
    for (size_t bytes = 0; bytes < FRAME_HEADER_BYTES; bytes++) {
        scene_keep_sectors(&scene, ~(uint64_t)1);
        memcpy(scene.state, scene.whole, bytes);
        cr_assert_eq(scene_judge(&scene), TORN, "%zu bytes of the header", bytes);
    }
    scene_free(&scene);
}

Test(recover, a_torn_header_is_torn_only_with_zeros_to_its_sectors_end)
{
    for (size_t align = 0; align < ALIGNMENTS; align++) {
        struct scene scene;
        scene_build(&scene, align * FRAME_ALIGN, 3, SEED);
        size_t end = FORMAT_SECTOR_BYTES - align * FRAME_ALIGN;
        cr_assert_gt(scene.length, end);
        for (size_t at = FRAME_HEADER_BYTES; at < scene.length; at += 8) {
            memset(scene.state, 0, scene.length);
            memcpy(scene.state, scene.whole, 32);
            scene.state[at] = 1;
            cr_assert_eq(scene_judge(&scene), at < end ? DAMAGED : TORN, "byte %zu, alignment %zu", at, align);
        }
        scene_free(&scene);
    }
}

Test(recover, any_other_header_is_damaged)
{
    struct scene scene;
    scene_build(&scene, 192, 4, SEED);
    for (size_t bytes = 0; bytes < FRAME_HEADER_BYTES; bytes++) {
        memcpy(scene.state, scene.whole, scene.length);
        memset(scene.state, 0, bytes);
        scene.state[bytes] ^= 0xff;
        cr_assert_eq(scene_judge(&scene), DAMAGED, "header wrong up to %zu", bytes);
        if (bytes < FRAME_HEADER_BYTES - 1) {
            memset(scene.state + FRAME_HEADER_BYTES, 0, scene.length - FRAME_HEADER_BYTES);
            cr_assert_eq(scene_judge(&scene), DAMAGED, "header alone, wrong up to %zu", bytes);
        }
    }
    scene_free(&scene);
}

/* The last frame of the scene is sound, the one before it is in the state. */
static void scene_of_two(struct scene *scene, size_t align, size_t *ret_first_bytes)
{
    memset(scene, 0, sizeof *scene);
    builder_use_memory();
    builder_init(&scene->builder, (uint64_t)32 << 10, SEED);
    builder_align(&scene->builder, align);
    builder_events(&scene->builder, 5);
    builder_events(&scene->builder, 3);
    struct built_frame *frames = &scene->builder.frames[scene->builder.frame_count - 2];
    *ret_first_bytes = (size_t)frames[0].frame.length_bytes;
    scene_close(scene);
    /* Both frames are the scene's state. */
    scene->offset -= *ret_first_bytes;
    scene->length += *ret_first_bytes;
    scene->whole = realloc(scene->whole, scene->length);
    scene->state = realloc(scene->state, scene->length);
    struct journal_files files;
    journal_files_load(scene->builder.data_fd, &files);
    memcpy(scene->whole, journal_files_segment(&files, 0)->bytes + scene->offset, scene->length);
    journal_files_free(&files);
}

static void expect_two_damaged(struct scene *scene, const char *what, size_t number)
{
    journal_file_write(scene->builder.data_fd, scene->segment, scene->offset, scene->state, scene->length);
    journal_scan(scene->builder.data_fd, &scene->scan);
    cr_assert_eq(scene->scan.status, SETTLE_E_CORRUPT, "%s %zu before a valid frame", what, number);
    cr_assert_not_null(strstr(scene->scan.error.file, scene->segment));
    cr_assert_geq(scene->scan.error.offset_bytes, scene->offset);
    cr_assert_lt(scene->scan.error.offset_bytes, scene->offset + scene->length);
}

Test(recover, a_frame_missing_before_a_valid_one_is_damaged)
{
    for (size_t align = 0; align < ALIGNMENTS; align++) {
        struct scene scene;
        size_t first;
        scene_of_two(&scene, align * FRAME_ALIGN, &first);
        cr_assert_eq(scene_judge_disk(&scene), WHOLE);
        for (size_t bytes = 0; bytes < first; bytes++) {
            memcpy(scene.state, scene.whole, scene.length);
            memset(scene.state + bytes, 0, first - bytes);
            expect_two_damaged(&scene, "prefix", bytes);
        }
        /* Sectors; of the one that both have, the second frame's part is there. */
        size_t sectors = sector_count(&scene);
        for (uint64_t missing = 1; missing < UINT64_C(1) << sectors && missing < 1000; missing++) {
            memcpy(scene.state, scene.whole, scene.length);
            for (size_t i = 0; i < sectors && sector_begin(&scene, i) < first; i++) {
                size_t begin = sector_begin(&scene, i), end = sector_end(&scene, i);
                if ((missing >> i & 1) != 0)
                    memset(scene.state + begin, 0, (end < first ? end : first) - begin);
            }
            if (memcmp(scene.state, scene.whole, scene.length) != 0)
                expect_two_damaged(&scene, "subset", (size_t)missing);
        }
        scene_free(&scene);
    }
}

Test(recover, a_sealed_segment_has_no_torn_end)
{
    static struct journal_builder b;
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    while (b.end.position < 2 * SEGMENT_BYTES_MIN)
        builder_events(&b, 5);
    builder_close(&b);
    struct journal_files files;
    struct journal_scan scan;
    journal_files_load(b.data_fd, &files);
    size_t last = 0; /* frame of the first segment */
    while (b.frames[last + 1].frame.position < SEGMENT_BYTES_MIN)
        last++;
    const struct frame *frame = &b.frames[last].frame;
    struct journal_file *file = journal_files_segment(&files, 0);
    for (size_t bytes = 0; bytes < frame->length_bytes; bytes += 3) {
        uint8_t *state = malloc(frame->length_bytes);
        memcpy(state, file->bytes + frame->position, frame->length_bytes);
        memset(state + bytes, 0, frame->length_bytes - bytes);
        journal_file_write(b.data_fd, file->name, frame->position, state, frame->length_bytes);
        journal_scan(b.data_fd, &scan);
        cr_assert_eq(scan.status, SETTLE_E_CORRUPT, "prefix %zu", bytes);
        cr_assert_not_null(strstr(scan.error.file, file->name));
        cr_assert(scan.error.offset_bytes >= frame->position &&
                  scan.error.offset_bytes < frame->position + frame->length_bytes);
        cr_assert(scan.error.seq >= frame->first_seq && scan.error.seq <= frame->first_seq + frame->event_count);
        free(state);
    }
    journal_files_free(&files);
    builder_deinit(&b);
}

Test(recover, what_is_longer_than_a_frame_can_be_is_not_torn)
{
    static struct journal_builder b;
    struct journal_scan scan;
    builder_use_memory();
    builder_init(&b, (uint64_t)32 << 20, SEED);
    builder_events(&b, 5);
    builder_close(&b);
    char name[SEGMENT_NAME_BYTES];
    segment_name(1, 0, name);
    /* The last byte of a frame of the largest length, and the one behind it. */
    journal_file_write(b.data_fd, name, b.end.position + FRAME_BYTES_MAX - 1, "x", 1);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.tail.torn_position, b.end.position);
    cr_assert_eq(scan.tail.torn_bytes, FRAME_BYTES_MAX);
    journal_file_write(b.data_fd, name, b.end.position + FRAME_BYTES_MAX, "x", 1);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT);
    builder_deinit(&b);
}

Test(recover, bytes_longer_than_a_frame_have_no_torn_shape)
{
    const struct journal_point point = {.position = 4096, .next_seq = 1};
    uint8_t *bytes = calloc(1, FRAME_BYTES_MAX + 1);
    const char *reason = NULL;
    cr_assert_not_null(bytes);
    bytes[FRAME_BYTES_MAX - 1] = 1;
    cr_assert_eq(frame_tail_shape(bytes, FRAME_BYTES_MAX, builder_journal_id, &point, 4096, &reason), TAIL_TORN);
    bytes[FRAME_BYTES_MAX] = 1;
    cr_assert_eq(frame_tail_shape(bytes, FRAME_BYTES_MAX + 1, builder_journal_id, &point, 4096, &reason), TAIL_DAMAGED);
    cr_assert_str_eq(reason, "no frame header here");
    free(bytes);
}

Test(recover, the_torn_frame_may_be_a_segments_first)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    builder_use_memory();
    builder_init(&scene.builder, SEGMENT_BYTES_MIN, SEED);
    while (scene.builder.end.position < SEGMENT_BYTES_MIN)
        builder_events(&scene.builder, 4);
    scene_close(&scene);
    cr_assert_eq(scene.offset, SEGMENT_HEADER_BYTES);
    for (size_t bytes = 0; bytes <= scene.length; bytes++) {
        memcpy(scene.state, scene.whole, bytes);
        memset(scene.state + bytes, 0, scene.length - bytes);
        scene_expect_crash(&scene, "prefix", bytes);
    }
    scene_free(&scene);
}
