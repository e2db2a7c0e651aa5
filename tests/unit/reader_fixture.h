/*
 * reader_fixture.h — a journal of a test's own and a reader on it. For the suites of reader.c; each includes it once.
 */
#ifndef TESTS_UNIT_READER_FIXTURE_H
#define TESTS_UNIT_READER_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/frame.h"
#include "journal/reader.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

#define SEED stream_seed(4711)
#define MIB ((uint64_t)1 << 20)

static struct journal_builder b;
static struct journal_reader *reader;

static inline void begin(uint64_t segment_bytes)
{
    builder_use_memory();
    builder_init(&b, segment_bytes, SEED);
}

/* Random frames over so many segments of 16 KiB; the writer is closed, a reader open. */
static inline void begin_small(uint64_t segments)
{
    begin(SEGMENT_BYTES_MIN);
    while (b.end.position / SEGMENT_BYTES_MIN + 1 < segments || b.frame_count % 4 != 0)
        builder_random(&b);
    builder_close(&b);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
}

static inline void end(void)
{
    journal_reader_close(reader);
    reader = NULL;
    builder_deinit(&b);
}

static inline void expect_event(const struct record *consumed, const struct record *decided,
                                const struct built_event *built)
{
    const settle_event *event = &built->stream.event;
    cr_assert_eq(consumed->kind, RECORD_CONSUMED);
    cr_assert_eq(consumed->position, built->position);
    cr_assert_eq(consumed->time_us, built->consumed_us);
    cr_assert_eq(consumed->seq, built->result.seq);
    cr_assert(event_content_equal(&consumed->u.consumed, event));
    cr_assert_eq(decided->seq, built->result.seq);
    cr_assert_eq(decided->time_us, built->decided_us);
    cr_assert_eq(decided->position, consumed->position + consumed->length_bytes);
    if (built->result.outcome == SETTLE_ACCEPTED) {
        const settle_leg *legs = decided->u.validated.legs;
        char text[MODEL_TEXT_BYTES];
        cr_assert_eq(decided->kind, RECORD_VALIDATED);
        cr_assert(model_legs_equal(&built->legs, legs, decided->u.validated.leg_count, text), "%s", text);
        for (size_t i = 0; i < built->legs.count; i++)
            cr_assert_eq(legs[i].previous_position, built->legs.legs[i].previous_position);
    } else if (built->result.outcome == SETTLE_REJECTED) {
        cr_assert_eq(decided->kind, RECORD_REJECTED);
        cr_assert_eq(decided->u.rejected, built->result.reason);
    } else {
        bool is_duplicate = built->result.outcome == SETTLE_DUPLICATE;
        cr_assert_eq(decided->kind, is_duplicate ? RECORD_DUPLICATE : RECORD_CONFLICT);
        cr_assert_eq(decided->u.repeat.first_seq, built->result.first_seq);
        cr_assert_eq(decided->u.repeat.first_position, b.events[built->result.first_seq - 1].position);
    }
}

#endif
