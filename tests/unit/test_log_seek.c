/* Which of two places in a journal is the later one: every pair of them, in a journal of many small frames. */
#include <stdlib.h>
#include <string.h>

#include "journal/follow/log_seek.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"

SETTLE_SUITE(log_seek);

/* A line of the journal, and the position of one who has written up to it. */
struct told_line {
    struct log_tail *tail;
    struct log_position position;
};

static struct journal_builder builder;
static struct journal_reader *reader;
static struct told_line *told;
static size_t told_count;

/* The line just rendered in a frame; `restart` and the assets are those before it. */
static void keep(const char *text, const struct line *line, const struct journal_point *restart,
                 const struct journal_point *boundary, const settle_asset *assets, size_t count)
{
    told = realloc(told, (told_count + 1) * sizeof *told);
    struct told_line *at = &told[told_count++];
    memset(at, 0, sizeof *at);
    at->tail = calloc(1, sizeof *at->tail);
    cr_assert_not_null(at->tail);
    at->tail->has_line = log_line_parse(text, line->bytes, &at->tail->last);
    cr_assert(at->tail->has_line && at->tail->last.place.seq == line->place.seq);
    cr_assert(at->tail->last.place.step == line->place.step);
    at->tail->last_bytes = line->bytes;
    memcpy(at->tail->last_text, text, line->bytes);
    at->position.restart = *restart;
    at->position.boundary = *boundary;
    at->position.place = line->place;
    at->position.part = (uint32_t)told_count;
    EXPECT_OK(log_position_reserve(&at->position, count, &mem_libc, &test_error));
    log_position_set_assets(&at->position, assets, count);
}

static void begin(void)
{
    static char text[LINE_BYTES_MAX];
    struct lines_options options = {LINE_SETTLE, LINES_SAMPLE_ALL, 0};
    struct lines *lines;
    struct journal_point point, restart;
    struct frame frame;
    struct line line;
    builder_use_memory();
    builder_init(&builder, 16384, stream_seed(25));
    for (int i = 0; i < 16; i++)
        builder_random(&builder);
    told = NULL;
    told_count = 0;
    EXPECT_OK(journal_reader_open_own(builder.data_fd, &mem_libc, &reader, &test_error));
    EXPECT_OK(lines_open(&options, &mem_libc, &lines, &test_error));
    journal_reader_begin(reader, &point);
    for (struct journal_point before = point;; before = point) {
        struct journal_point boundary = before;
        size_t asset_count;
        settle_asset assets[STREAM_ASSET_COUNT];
        const settle_asset *known = lines_assets(lines, &asset_count);
        cr_assert(asset_count <= STREAM_ASSET_COUNT);
        if (asset_count > 0)
            memcpy(assets, known, asset_count * sizeof *assets);
        restart = lines_restart(lines, &before);
        if (journal_reader_next(reader, &point, &frame, &test_error) != SETTLE_OK)
            break;
        before.position = frame.position;
        EXPECT_OK(lines_enter(lines, &before, &frame, &test_error));
        while (lines_next(lines, text, &line))
            keep(text, &line, &restart, &boundary, assets, asset_count);
    }
    lines_close(lines);
    cr_assert(told_count > 100, "%zu lines", told_count);
}

static void end(void)
{
    for (size_t i = 0; i < told_count; i++) {
        log_position_deinit(&told[i].position, &mem_libc);
        free(told[i].tail);
    }
    free(told);
    journal_reader_close(reader);
    builder_deinit(&builder);
}

static enum log_seek_answer seek(const struct log_position *from, const struct log_tail *tail,
                                 struct log_position *ret_position)
{
    struct log_seek *log_seek = NULL;
    enum log_seek_answer answer = SEEK_GOES_ON;
    EXPECT_OK(log_seek_open(from, tail, &mem_libc, &log_seek, &test_error));
    while (answer == SEEK_GOES_ON)
        EXPECT_OK(log_seek_step(log_seek, reader, &answer, &test_error));
    *ret_position = *log_seek_position(log_seek);
    ret_position->assets = NULL; /* goes with the seek */
    log_seek_close(log_seek);
    return answer;
}

static void expect_later(size_t from, size_t line)
{
    const struct log_position *expected = &told[from > line ? from : line].position;
    struct log_position found;
    if (log_seek_is_before(&told[from].position, told[line].tail->last.place)) {
        cr_assert(line < from || told[line].position.restart.next_seq > 0, "%zu, %zu", from, line);
        cr_assert(line <= from, "line %zu is not before %zu", line, from);
        return;
    }
    cr_assert(seek(&told[from].position, told[line].tail, &found) == SEEK_FOUND, "%zu, %zu", from, line);
    cr_assert(found.place.seq == expected->place.seq && found.place.step == expected->place.step, "%zu, %zu", from,
              line);
    cr_assert(found.boundary.position == expected->boundary.position, "%zu, %zu", from, line);
    cr_assert(found.boundary.chain == expected->boundary.chain && found.restart.position <= found.boundary.position);
    cr_assert(found.restart.position <= expected->restart.position ||
              found.restart.next_seq == expected->restart.next_seq);
    cr_assert(found.part == told[from].position.part); /* what else the position says is kept */
}

Test(log_seek, the_later_of_any_two_places_is_found, .init = begin, .fini = end)
{
    for (size_t i = 0; i < told_count; i++) {
        for (size_t j = i % 5; j<told_count; j += j> i + 12 || j + 12 < i ? 7 : 1)
            expect_later(i, j);
    }
}

Test(log_seek, every_line_is_found_from_the_beginning, .init = begin, .fini = end)
{
    struct log_position first = {.place = {0}}, found;
    journal_reader_begin(reader, &first.restart);
    first.boundary = first.restart;
    for (size_t i = 0; i < told_count; i++) {
        cr_assert(!log_seek_is_before(&first, told[i].tail->last.place));
        cr_assert(seek(&first, told[i].tail, &found) == SEEK_FOUND);
        cr_assert(found.place.seq == told[i].position.place.seq && found.place.step == told[i].position.place.step);
        cr_assert(found.restart.position == told[i].position.restart.position);
        cr_assert(found.boundary.position == told[i].position.boundary.position);
        cr_assert(found.asset_count == told[i].position.asset_count);
    }
}

Test(log_seek, a_line_with_any_other_byte_is_foreign, .init = begin, .fini = end)
{
    struct log_position first = {.place = {0}}, found;
    journal_reader_begin(reader, &first.restart);
    first.boundary = first.restart;
    struct log_tail *tail = told[told_count / 2].tail;
    for (size_t i = 0; i < tail->last_bytes; i++) {
        tail->last_text[i] = (char)(tail->last_text[i] ^ 1);
        cr_assert(seek(&first, tail, &found) == SEEK_FOREIGN, "byte %zu", i);
        tail->last_text[i] = (char)(tail->last_text[i] ^ 1);
    }
    tail->last_bytes--;
    cr_assert(seek(&first, tail, &found) == SEEK_FOREIGN);
    tail->last_bytes++;
    tail->last.place.seq = builder.next_seq; /* beyond the end */
    cr_assert(seek(&first, tail, &found) == SEEK_FOREIGN);
}

Test(log_seek, a_position_whose_frame_ends_elsewhere_is_lost, .init = begin, .fini = end)
{
    struct log_position found, from = told[told_count / 2].position;
    from.boundary.chain ^= 1;
    cr_assert(seek(&from, told[told_count - 1].tail, &found) == SEEK_LOST);
    from = told[told_count / 2].position;
    from.boundary.position += 64;
    cr_assert(seek(&from, told[told_count - 1].tail, &found) == SEEK_LOST);
}

Test(log_seek, it_waits_for_a_reader_that_shows_less_than_the_position, .init = begin, .fini = end)
{
    struct log_position found, *from = &told[told_count - 1].position;
    EXPECT_OK(journal_reader_limit(reader, from->boundary.position - 64, &test_error));
    if (from->restart.position < from->boundary.position)
        cr_assert(seek(from, told[told_count - 1].tail, &found) == SEEK_WAITS);
    EXPECT_OK(journal_reader_limit(reader, UINT64_MAX, &test_error));
    cr_assert(seek(from, told[told_count - 1].tail, &found) == SEEK_FOUND);
    log_seek_close(NULL);
}

/* A place that lies before the position, which nobody asks for: it is not looked for to the journal's end. */
Test(log_seek, a_line_whose_PERSISTED_has_come_is_not_looked_for_any_further, .init = begin, .fini = end)
{
    struct log_position found, from = told[told_count - 1].position;
    size_t early = 0;
    while (told[early].position.place.seq == 0)
        early++;
    cr_assert(log_seek_is_before(&from, told[early].tail->last.place));
    cr_assert(seek(&from, told[early].tail, &found) == SEEK_FOREIGN);
    /* The same where nothing is known of PERSISTED at the place to begin at. */
    size_t middle = told_count / 2;
    from = told[middle].position;
    from.restart.persisted_seq = POINT_PERSISTED_UNKNOWN;
    from.boundary.persisted_seq = POINT_PERSISTED_UNKNOWN;
    cr_assert(seek(&from, told[middle + 5].tail, &found) == SEEK_FOUND);
    cr_assert_eq(found.place.seq, told[middle + 5].position.place.seq);
}
