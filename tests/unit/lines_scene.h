/*
 * lines_scene.h — small journals in memory, record by record, and their lines. For the suites of lines.c; each includes
 * it once.
 *
 *     scene_begin(&scene);                            // a frame
 *     scene_asset(&scene, &usdt);
 *     scene_consumed(&scene, &event);                 // the next seq
 *     scene_validated(&scene, legs, 2);
 *     scene_end(&scene);                              // sealed, checked
 *     scene_tell(&scene, LINE_SETTLE, &told);
 */
#ifndef TESTS_UNIT_LINES_SCENE_H
#define TESTS_UNIT_LINES_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/frame.h"
#include "journal/lines/lines.h"
#include "tests/lib/expect.h"

#define SCENE_FRAMES_MAX 16
#define SCENE_FRAME_BYTES 16384
#define SCENE_TIME_US UINT64_C(1733856600000000)

struct scene {
    struct frame frames[SCENE_FRAMES_MAX];
    struct journal_point before[SCENE_FRAMES_MAX];
    uint8_t bytes[SCENE_FRAMES_MAX][SCENE_FRAME_BYTES];
    size_t frame_count, used;
    struct journal_point point;
    uint64_t seq, time_us;
};

static const uint8_t scene_journal_id[16] = {0x5c, 0xe7, 0xe0};

static inline void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->point = (struct journal_point){.position = SEGMENT_HEADER_BYTES, .next_seq = 1, .chain = 4711};
    scene->time_us = SCENE_TIME_US;
}

static inline uint8_t *scene_at(struct scene *scene)
{
    return scene->bytes[scene->frame_count] + scene->used;
}

static inline uint32_t scene_delta_us(const struct scene *scene)
{
    return (uint32_t)(scene->time_us - scene->frames[scene->frame_count].time_us);
}

static inline uint32_t scene_delta_seq(const struct scene *scene)
{
    return (uint32_t)(scene->seq - scene->frames[scene->frame_count].first_seq);
}

static inline void scene_appended(struct scene *scene, size_t bytes)
{
    scene->used += bytes;
    scene->frames[scene->frame_count].record_count++;
    cr_assert_lt(scene->used + EVENT_BYTES_MAX, SCENE_FRAME_BYTES);
}

static inline void scene_begin(struct scene *scene)
{
    cr_assert_lt(scene->frame_count, SCENE_FRAMES_MAX);
    scene->frames[scene->frame_count] = (struct frame){.position = scene->point.position,
                                                       .first_seq = scene->point.next_seq,
                                                       .time_us = scene->time_us,
                                                       .previous_chain = scene->point.chain};
    scene->used = FRAME_HEADER_BYTES;
}

static inline void scene_asset(struct scene *scene, const settle_asset *asset)
{
    scene_appended(scene, record_encode_asset(scene_at(scene), scene_delta_us(scene), asset));
}

static inline void scene_source(struct scene *scene)
{
    const struct record_source source = {4096, 17, {"in.ndjson", 9}};
    scene_appended(scene, record_encode_source(scene_at(scene), &source));
}

/* A record of a kind that is not known yet, and may be passed over. */
static inline void scene_other(struct scene *scene)
{
    uint8_t *at = scene_at(scene);
    memset(at, 0xab, 24);
    put_u16(at, 24);
    at[RECORD_KIND] = 200;
    at[RECORD_ZERO] = 0;
    put_u32(at + RECORD_SEQ_DELTA, 0);
    put_u32(at + RECORD_TIME_DELTA, 0);
    scene_appended(scene, 24);
}

static inline void scene_consumed(struct scene *scene, const settle_event *event)
{
    scene->seq = scene->frames[scene->frame_count].first_seq + scene->frames[scene->frame_count].event_count++;
    cr_assert_null(event_form_fault(event), "%s", event_form_fault(event));
    scene_appended(scene, record_encode_consumed(scene_at(scene), scene_delta_seq(scene), scene_delta_us(scene),
                                                 (uint32_t)scene->used, event));
    scene->time_us += 7;
}

static inline void scene_validated(struct scene *scene, const settle_leg *legs, size_t count)
{
    scene_appended(
        scene, record_encode_validated(scene_at(scene), scene_delta_seq(scene), scene_delta_us(scene), legs, count));
    scene->time_us += 3;
}

static inline void scene_rejected(struct scene *scene, settle_reason reason)
{
    scene_appended(scene,
                   record_encode_rejected(scene_at(scene), scene_delta_seq(scene), scene_delta_us(scene), reason));
    scene->time_us += 3;
}

static inline void scene_repeat(struct scene *scene, settle_outcome outcome, uint64_t first_seq)
{
    const struct record_repeat repeat = {first_seq, SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES};
    scene_appended(
        scene, record_encode_repeat(scene_at(scene), scene_delta_seq(scene), scene_delta_us(scene), outcome, &repeat));
    scene->time_us += 3;
}

static inline void scene_persisted(struct scene *scene, uint64_t last_seq)
{
    struct frame *frame = &scene->frames[scene->frame_count];
    const struct record_persisted persisted = {scene->point.persisted_seq + 1, last_seq, scene->time_us};
    scene_appended(scene, record_encode_persisted(scene_at(scene), &persisted));
    frame->persisted_first_seq = persisted.first_seq;
    frame->persisted_last_seq = persisted.last_seq;
}

static inline void scene_end(struct scene *scene)
{
    struct frame *frame = &scene->frames[scene->frame_count], checked;
    uint8_t *bytes = scene->bytes[scene->frame_count];
    size_t offset;
    uint64_t seq;
    frame->length_bytes = frame_length(scene->used);
    frame_seal(frame, bytes, scene->used, scene_journal_id);
    cr_assert_null(frame_header_fault(bytes, scene_journal_id, frame->position, &checked));
    checked.bytes = bytes;
    const char *fault = frame_body_fault(&checked, &offset, &seq);
    cr_assert_null(fault, "%s", fault);
    cr_assert_null(frame_order_fault(&checked, &scene->point));
    scene->frames[scene->frame_count] = checked;
    scene->before[scene->frame_count++] = scene->point;
    scene->point = frame_end_point(&checked, &scene->point);
    scene->time_us += 1000;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* Lines one behind the other, and where each stands. */
struct told {
    char *text;
    size_t used, capacity;
    struct line *lines;
    size_t count, line_capacity;
};

static inline void told_free(struct told *told)
{
    free(told->text);
    free(told->lines);
    memset(told, 0, sizeof *told);
}

/* A line at the end: text is there already. */
static inline void told_append(struct told *told, const char *text, const struct line *line)
{
    if (told->used + line->bytes + 1 > told->capacity) {
        told->capacity = (told->capacity + line->bytes) * 2 + LINE_BYTES_MAX;
        told->text = realloc(told->text, told->capacity);
    }
    if (told->count == told->line_capacity) {
        told->line_capacity = told->line_capacity * 2 + 64;
        told->lines = realloc(told->lines, told->line_capacity * sizeof *told->lines);
    }
    cr_assert(told->text != NULL && told->lines != NULL);
    memcpy(told->text + told->used, text, line->bytes);
    told->used += line->bytes;
    told->text[told->used] = '\0';
    told->lines[told->count++] = *line;
}

/* The rest of the frame that was entered. */
static inline void told_rest(struct told *told, struct lines *lines)
{
    char text[LINE_BYTES_MAX];
    struct line line;
    memset(text, 0xee, sizeof text); /* nothing of a line before may be taken for this one's */
    for (; lines_next(lines, text, &line); memset(text, 0xee, sizeof text)) {
        cr_assert(line.bytes >= 2 && line.bytes <= LINE_BYTES_MAX);
        cr_assert_eq(memchr(text, '\n', line.bytes), text + line.bytes - 1, "one newline, at the end");
        cr_assert_eq(lines_place(lines).seq, line.place.seq);
        cr_assert_eq(lines_place(lines).step, line.place.step);
        told_append(told, text, &line);
    }
    cr_assert_not(lines_next(lines, text, &line)); /* and again */
}

static inline struct lines *lines_new(struct lines_options options)
{
    struct lines *lines = NULL;
    EXPECT_OK(lines_open(&options, &mem_libc, &lines, &test_error));
    cr_assert_not_null(lines);
    return lines;
}

/* From frame `first` on. */
static inline void scene_tell_from(const struct scene *scene, struct lines *lines, size_t first, struct told *told)
{
    for (size_t i = first; i < scene->frame_count; i++) {
        EXPECT_OK(lines_enter(lines, &scene->before[i], &scene->frames[i], &test_error));
        told_rest(told, lines);
    }
}

static inline void scene_tell(const struct scene *scene, enum line_format format, struct told *ret_told)
{
    struct lines *lines = lines_new((struct lines_options){format, LINES_SAMPLE_ALL, 0});
    memset(ret_told, 0, sizeof *ret_told);
    scene_tell_from(scene, lines, 0, ret_told);
    lines_close(lines);
}

/* Compares with tests/golden/NAME, or with SETTLE_GOLDEN_WRITE=FOLDER writes FOLDER/NAME: a change of a line's form is
 * a new version of the schema, and is written on purpose. */
static inline void expect_golden(const struct told *told, const char *name)
{
    char path[1024];
    const char *folder = getenv("SETTLE_GOLDEN_WRITE");
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : TEST_GOLDEN_DIR, name);
    FILE *file = fopen(path, folder != NULL ? "w" : "r");
    cr_assert_not_null(file, "%s", path);
    if (folder != NULL) {
        cr_assert_eq(fwrite(told->text, 1, told->used, file), told->used);
        cr_assert_eq(fclose(file), 0);
        return;
    }
    size_t at = 0;
    char line[LINE_BYTES_MAX + 2];
    for (size_t i = 0; fgets(line, sizeof line, file) != NULL; i++) {
        cr_assert_lt(i, told->count, "the golden file has more lines");
        const char *own = told->text + at;
        const size_t bytes = told->lines[i].bytes;
        cr_assert(strlen(line) == bytes && memcmp(line, own, bytes) == 0, "line %zu is\n%.*sexpected\n%s", i + 1,
                  (int)bytes, own, line);
        at += bytes;
    }
    fclose(file);
    cr_assert_eq(at, told->used, "the golden file has fewer lines");
}

/* ---- Two journals ------------------------------------------------------------------------------------------------ */

static const settle_asset scene_btc = {1, 8, "BTC"}, scene_usdt = {2, 6, "USDT"}, scene_jpy = {3, 0, "JPY"},
                          scene_wei = {UINT32_MAX, 18, "A23456789012.EF"};

#define SCENE_TEXT(literal)                                                                                            \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
#define SCENE_TS UINT64_C(1733856600000)
#define SCENE_ID_64 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvw.:-z"
#define SCENE_OTHER_ID_64 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvw.:-Z"
#define SCENE_ID_56 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
#define SCENE_ABOVE_53 (((uint64_t)1 << 53) + 1)
/* 38 nines */
#define SCENE_PRICE_MAX                                                                                                \
    ((settle_uint128)UINT64_C(9999999999999999999) * UINT64_C(10000000000000000000) + UINT64_C(9999999999999999999))
#define SCENE_WIDE ((settle_int128)1 << 100)

static inline settle_event scene_transfer(settle_event_type type, uint64_t user, uint32_t asset, settle_int128 amount,
                                          uint64_t ts_ms)
{
    return (settle_event){.type = type, .ts_ms = ts_ms, .u.transfer = {user, asset, amount}};
}

/* A transfer's legs: the user's, and the external account's. */
static inline void scene_transferred(struct scene *scene, const settle_event *event, settle_int128 after,
                                     uint64_t version)
{
    const settle_transfer *transfer = &event->u.transfer;
    const settle_int128 delta = event->type == SETTLE_DEPOSIT ? transfer->amount : -transfer->amount;
    const settle_leg legs[] = {
        {.user = transfer->user,
         .asset = transfer->asset,
         .version = version,
         .delta_available = delta,
         .after_available = after},
        {.user = SETTLE_USER_EXTERNAL,
         .asset = transfer->asset,
         .version = version + 5,
         .delta_available = -delta,
         .after_available = -after},
    };
    scene_consumed(scene, event);
    scene_validated(scene, legs, 2);
}

/* Deposits and withdrawals of every outcome. */
static inline void scene_transfers(struct scene *scene)
{
    const settle_event deposit = scene_transfer(SETTLE_DEPOSIT, 1001, 2, 1000500000, SCENE_TS);
    settle_event other = deposit, given = scene_transfer(SETTLE_DEPOSIT, SCENE_ABOVE_53, 1, 1, SETTLE_TS_MS_MAX);
    settle_event withdrawal = scene_transfer(SETTLE_WITHDRAWAL, 1001, 2, 10000000, SCENE_TS + 1);
    settle_event largest = scene_transfer(SETTLE_DEPOSIT, SETTLE_USER_MAX, UINT32_MAX, SETTLE_AMOUNT_MAX, 0);
    other.u.transfer.amount = 1;
    given.event_id = (settle_text)SCENE_TEXT(SCENE_ID_64);
    scene_begin(scene);
    scene_asset(scene, &scene_btc);
    scene_asset(scene, &scene_usdt);
    scene_transferred(scene, &deposit, 1000500000, 1);
    scene_source(scene);
    scene_end(scene);

    scene_begin(scene);
    scene_persisted(scene, 1);
    scene_asset(scene, &scene_wei);
    scene_transferred(scene, &given, 500000000, SCENE_ABOVE_53);
    scene_transferred(scene, &withdrawal, 990500000, 2);
    scene_transferred(scene, &largest, SETTLE_AMOUNT_MAX, 3);
    scene_consumed(scene, &deposit);
    scene_repeat(scene, SETTLE_DUPLICATE, 1);
    scene_other(scene);
    scene_consumed(scene, &other);
    scene_repeat(scene, SETTLE_CONFLICT, 1);
    scene_end(scene);

    scene_begin(scene);
    for (uint16_t reason = SETTLE_REASON_UNKNOWN_ASSET; reason <= SETTLE_REASON_BALANCE_OVERFLOW; reason++) {
        const bool is_unknown = reason == SETTLE_REASON_UNKNOWN_ASSET;
        settle_event event = scene_transfer(reason % 2 == 0 ? SETTLE_DEPOSIT : SETTLE_WITHDRAWAL, 1000u + reason,
                                            is_unknown ? 77 : 2, is_unknown ? SCENE_WIDE : 7, SCENE_TS + reason);
        scene_consumed(scene, &event);
        scene_rejected(scene, (settle_reason)reason);
    }
    scene_persisted(scene, 3);
    scene_end(scene);
}

/* A trade in assets that are not declared, and repeats; `plain` came three events before. */
static inline void scene_trades_refused(struct scene *scene, const settle_event *plain)
{
    const settle_event unknown = {.type = SETTLE_TRADE,
                                  .ts_ms = SCENE_TS,
                                  .u.trade = {SCENE_TEXT("u"), 1, 2, 88, 99, SCENE_WIDE, {1, 18}, 4, 5, 6}};
    scene_begin(scene);
    scene_consumed(scene, &unknown);
    scene_rejected(scene, SETTLE_REASON_UNKNOWN_ASSET);
    scene_consumed(scene, plain);
    scene_repeat(scene, SETTLE_DUPLICATE, scene->point.next_seq - 3);
    scene_consumed(scene, &unknown);
    scene_repeat(scene, SETTLE_CONFLICT, scene->point.next_seq);
    scene_end(scene);
    scene_begin(scene);
    scene_persisted(scene, scene->point.next_seq - 1);
    scene_end(scene);
}

/* Trades: each member there and not there, wide and narrow, assets declared and not. */
static inline void scene_trades(struct scene *scene)
{
    const settle_event plain = {.type = SETTLE_TRADE,
                                .ts_ms = SCENE_TS,
                                .u.trade = {.trade_id = SCENE_TEXT("T-1"), 1001, 1002, 1, 2, 5, {0, 0}, 500000, 0, 0}};
    const settle_event priced = {.type = SETTLE_TRADE,
                                 .ts_ms = SCENE_TS,
                                 .event_id = SCENE_TEXT("fill.1"),
                                 .u.trade = {{NULL, 0}, 1001, 1002, 1, 2, 200000000, {500005, 1}, 0, 100, 5}};
    const settle_event largest = {.type = SETTLE_TRADE,
                                  .ts_ms = SETTLE_TS_MS_MAX,
                                  .event_id = SCENE_TEXT(SCENE_OTHER_ID_64),
                                  .u.trade = {SCENE_TEXT(SCENE_ID_56),
                                              SETTLE_USER_MAX,
                                              SETTLE_USER_MAX - 1,
                                              UINT32_MAX,
                                              3,
                                              SETTLE_AMOUNT_MAX,
                                              {SCENE_PRICE_MAX, 18},
                                              SETTLE_AMOUNT_MAX,
                                              SETTLE_AMOUNT_MAX,
                                              SETTLE_AMOUNT_MAX}};
    settle_leg legs[SETTLE_LEGS_MAX] = {
        {.user = 1001, .asset = 1, .version = 1, .delta_available = 4, .after_available = 4},
        {.user = 1001,
         .asset = 2,
         .version = 2,
         .delta_available = -500000,
         .after_available = 0,
         .delta_held = 1,
         .after_held = 1},
        {.user = 1002, .asset = 1, .version = 3, .delta_available = -5, .after_available = SCENE_WIDE},
        {.user = SCENE_ABOVE_53, .asset = 2, .version = 4, .delta_available = 499999, .after_available = 499999},
        {.user = SETTLE_USER_EXTERNAL,
         .asset = UINT32_MAX,
         .version = SCENE_ABOVE_53,
         .delta_available = -1,
         .after_available = -SETTLE_AMOUNT_MAX + 5},
        {.user = SETTLE_USER_FEES, .asset = 2, .version = UINT64_MAX, .delta_available = 1, .after_available = 1},
    };
    scene_begin(scene);
    scene_persisted(scene, scene->point.next_seq - 1);
    scene_asset(scene, &scene_jpy);
    scene_consumed(scene, &plain);
    scene_validated(scene, legs, SETTLE_LEGS_MAX);
    scene_consumed(scene, &priced);
    scene_validated(scene, legs, 3);
    for (size_t i = 0; i < SETTLE_LEGS_MAX; i++)
        legs[i] = (settle_leg){.user = SETTLE_USER_MAX - i,
                               .asset = UINT32_MAX,
                               .version = UINT64_MAX - i,
                               .delta_available = -SETTLE_AMOUNT_MAX,
                               .after_available = -SETTLE_AMOUNT_MAX};
    scene_consumed(scene, &largest);
    scene_validated(scene, legs, SETTLE_LEGS_MAX);
    scene_end(scene);
    scene_trades_refused(scene, &plain);
}

static inline void scene_golden(struct scene *scene)
{
    scene_init(scene);
    scene_transfers(scene);
    scene_trades(scene);
}

#endif
