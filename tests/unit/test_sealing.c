/* test_sealing.c — a frontier whose digest is right and whose content cannot be is passed over; so is another place's. */
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/frame.h"
#include "journal/seal/seal.h"
#include "journal/seal/sealing.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(sealing);

/* Where things stand in a frontier: docs/seals.md. */
enum { SIZE = 24, BEFORE_POSITION = 40, ASSET_COUNT = 68, ASSETS = 104 };
/* In an asset: its time of 8 bytes, then the record behind its header of 16. */
enum { ID = 8 + ASSET_ID - 16, SCALE = 8 + ASSET_SCALE - 16, SYMBOL_LENGTH = 8 + ASSET_SYMBOL_LENGTH - 16 };

static const uint8_t journal_id[16] = {1, 2, 3};
static uint8_t *bytes;
static size_t count;

/* Three events, two assets. */
static void begin(void)
{
    struct seal_asset assets[2] = {{{0}}};
    struct sealing sealing;
    const struct journal_point first = {.position = 512, .next_seq = 1};
    sealing_init(&sealing, journal_id, &first, &mem_libc);
    for (unsigned i = 0; i < 2; i++) {
        put_u32(assets[i].bytes + ID, i + 1);
        assets[i].bytes[SYMBOL_LENGTH] = 3;
    }
    for (unsigned i = 0; i < 3; i++) {
        const struct digest leaf = merkle_leaf(&i, sizeof i);
        merkle_append(&sealing.tree, &leaf);
    }
    sealing.point = (struct journal_point){.position = 1024, .next_seq = 4};
    sealing.before = (struct journal_point){.position = 512, .next_seq = 1};
    sealing.assets = assets;
    sealing.asset_count = 2;
    EXPECT_OK(frontier_encode(&sealing, &bytes, &count, &test_error));
}

static void end(void)
{
    mem_free(&mem_libc, bytes);
}

#define FRONTIER .init = begin, .fini = end

static bool decodes(void)
{
    struct sealing sealing;
    const struct digest_part all = {bytes, count - DIGEST_BYTES};
    const struct digest digest = digest_of(&all, 1);
    memcpy(bytes + count - DIGEST_BYTES, digest.bytes, DIGEST_BYTES);
    bool is_good = frontier_decode(bytes, count, journal_id, &mem_libc, &sealing);
    if (is_good)
        sealing_deinit(&sealing);
    return is_good;
}

/* With another byte, and again with the one before. */
static void expect_refused(size_t at, uint8_t byte)
{
    uint8_t before = bytes[at];
    bytes[at] = byte;
    cr_assert_not(decodes(), "%u at %zu", byte, at);
    bytes[at] = before;
    cr_assert(decodes());
}

Test(sealing, a_frontier_comes_back, FRONTIER)
{
    struct sealing sealing;
    cr_assert(decodes());
    cr_assert(frontier_decode(bytes, count, journal_id, &mem_libc, &sealing));
    cr_assert(sealing.tree.size == 3 && sealing.asset_count == 2 && sealing.point.position == 1024);
    sealing_deinit(&sealing);
}

Test(sealing, a_frontier_with_impossible_content_is_passed_over, FRONTIER)
{
    cr_assert(decodes());
    expect_refused(0, 'X');
    expect_refused(8, 9);    /* another journal's */
    expect_refused(SIZE, 7); /* more peaks than there are */
    expect_refused(ASSET_COUNT, 3);
    expect_refused(ASSETS + SYMBOL_LENGTH, SETTLE_SYMBOL_BYTES_MAX + 1);
    expect_refused(ASSETS + SCALE, SETTLE_SCALE_MAX + 1);
    expect_refused(ASSETS + ID, 2);      /* the second asset's */
    expect_refused(ASSETS + ID, 3);      /* behind it */
    expect_refused(BEFORE_POSITION, 63); /* where no frame begins */
    /* As many peaks, and more events than there can be. */
    bytes[SIZE] = 1;
    bytes[SIZE + 7] = 0x80;
    cr_assert_not(decodes());
}

Test(sealing, a_frontier_that_is_cut_or_changed_is_passed_over, FRONTIER)
{
    struct sealing sealing;
    cr_assert(decodes());
    for (size_t short_count = 0; short_count < count; short_count++)
        cr_assert_not(frontier_decode(bytes, short_count, journal_id, &mem_libc, &sealing));
    for (size_t at = 0; at < count; at++) {
        bytes[at] ^= 1;
        cr_assert_not(frontier_decode(bytes, count, journal_id, &mem_libc, &sealing), "byte %zu", at);
        bytes[at] ^= 1;
    }
}

Test(sealing, a_sealing_is_resumed_with_its_own_last_frame_alone, FRONTIER)
{
    struct sealing sealing;
    static const uint8_t frame_bytes[512];
    struct frame frame = {.position = 512, .length_bytes = 512, .first_seq = 1, .bytes = frame_bytes};
    struct journal_point point = {.position = 1024, .next_seq = 4};
    cr_assert(decodes());
    cr_assert(frontier_decode(bytes, count, journal_id, &mem_libc, &sealing));
    frame.position = 576;
    cr_assert_not(sealing_resume(&sealing, &frame, &point));
    frame.position = 512;
    point.position = 1088;
    cr_assert_not(sealing_resume(&sealing, &frame, &point));
    point.position = 1024;
    point.next_seq = 5;
    cr_assert_not(sealing_resume(&sealing, &frame, &point));
    point.next_seq = 4;
    cr_assert(sealing_resume(&sealing, &frame, &point));
    sealing_deinit(&sealing);
}

/* ---- Seals ------------------------------------------------------------------------------------------------------- */

Test(sealing, seals_are_equal_where_every_member_is)
{
    const struct seal seal = {.journal_id = {1}, .size = 2, .position = 3, .time_us = 4, .has_previous = true};
    struct seal other = seal;
    cr_assert(seal_equal(&seal, &other));
#define EXPECT_COUNTS(member)                                                                                          \
    do {                                                                                                               \
        other = seal;                                                                                                  \
        ((uint8_t *)&other.member)[0] ^= 1;                                                                            \
        cr_assert_not(seal_equal(&seal, &other), #member);                                                             \
    } while (0)
    EXPECT_COUNTS(journal_id);
    EXPECT_COUNTS(size);
    EXPECT_COUNTS(root);
    EXPECT_COUNTS(position);
    EXPECT_COUNTS(frames);
    EXPECT_COUNTS(time_us);
    EXPECT_COUNTS(assets);
}

/* ---- Assets ------------------------------------------------------------------------------------------------------ */

/* A frame of assets alone, twice the same one: the first declaration counts, with its time. */
Test(sealing, an_asset_that_is_declared_again_counts_once)
{
    static uint8_t frame_bytes[1024];
    static const settle_asset usdt = {2, 6, "USDT"}, btc = {1, 8, "BTC"};
    const struct journal_point first = {.position = 512, .next_seq = 1};
    struct sealing sealing;
    struct frame frame = {.position = 512, .first_seq = 1, .time_us = 1000, .record_count = 3};
    size_t used = FRAME_HEADER_BYTES;
    used += record_encode_asset(frame_bytes + used, 1, &usdt);
    used += record_encode_asset(frame_bytes + used, 2, &btc);
    used += record_encode_asset(frame_bytes + used, 3, &usdt);
    frame.length_bytes = frame_length(used);
    frame_seal(&frame, frame_bytes, used, journal_id);
    const struct journal_point behind = frame_end_point(&frame, &first);
    sealing_init(&sealing, journal_id, &first, &mem_libc);
    EXPECT_OK(sealing_add(&sealing, &frame, &behind, NULL, NULL, &test_error));
    cr_assert_eq(sealing.asset_count, 2);
    cr_assert(get_u32(sealing.assets[0].bytes + ID) == 1 && get_u32(sealing.assets[1].bytes + ID) == 2);
    cr_assert_eq(get_u64(sealing.assets[1].bytes), 1001);
    sealing_deinit(&sealing);
}

Test(sealing, a_frontier_without_assets_comes_back)
{
    const struct journal_point first = {.position = 512, .next_seq = 1};
    struct sealing sealing, back;
    sealing_init(&sealing, journal_id, &first, &mem_libc);
    const struct digest leaf = merkle_leaf("x", 1);
    merkle_append(&sealing.tree, &leaf);
    sealing.point = (struct journal_point){.position = 1024, .next_seq = 2};
    sealing.before = first;
    EXPECT_OK(frontier_encode(&sealing, &bytes, &count, &test_error));
    cr_assert(frontier_decode(bytes, count, journal_id, &mem_libc, &back));
    cr_assert(back.asset_count == 0 && back.tree.size == 1 && back.point.position == 1024);
    const struct digest a = sealing_assets(&sealing), b = sealing_assets(&back);
    cr_assert(digest_equal(&a, &b));
    sealing_deinit(&back);
    mem_free(&mem_libc, bytes);
}
