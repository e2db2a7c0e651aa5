/* test_segment.c — names and headers of segments, byte by byte. Directories of them are test_segment_files.c's. */
#include "journal/segment.h"

#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(segment);

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Names ------------------------------------------------------------------------------------------------------ */

Test(segment, a_name_is_first_seq_and_ordinal)
{
    static const struct {
        uint64_t first_seq, ordinal;
        const char *name;
    } rows[] = {
        {1, 0, "00000000000000000001-000000.seg"},
        {1234567, 42, "00000000000001234567-000042.seg"},
        {1, 999999, "00000000000000000001-999999.seg"},
        {1, 1000000, "00000000000000000001-1000000.seg"},
        {UINT64_MAX, UINT32_MAX, "18446744073709551615-4294967295.seg"},
        {UINT64_MAX, UINT64_MAX, "18446744073709551615-18446744073709551615.seg"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char name[SEGMENT_NAME_BYTES];
        uint64_t first_seq = 0, ordinal = 0;
        segment_name(rows[i].first_seq, rows[i].ordinal, name);
        cr_assert_str_eq(name, rows[i].name);
        cr_assert(segment_name_parse(name, &first_seq, &ordinal));
        cr_assert_eq(first_seq, rows[i].first_seq);
        cr_assert_eq(ordinal, rows[i].ordinal);
    }
}

Test(segment, other_names_are_no_segments)
{
    static const char names[][64] = {
        "",
        "spare",
        "watermark",
        ".seg",
        "-.seg",
        "00000000000000000001-000000.seg.torn-512",
        "00000000000000000001-000000.se",
        "00000000000000000001-000000.segs",
        "00000000000000000001-00000.seg",
        "0000000000000000001-000000.seg",
        "00000000000000000001_000000.seg",
        " 0000000000000000001-000000.seg",
        "00000000000000000001-000000",
        "000000000000000000001-000000.seg",
        "00000000000000000001-0000000.seg",
        "00000000000000000001-+00000.seg",
        "18446744073709551616-000000.seg",
        "00000000000000000001-18446744073709551616.seg",
        "0000000000000000000a-000000.seg",
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        uint64_t first_seq = 7, ordinal = 8;
        cr_assert_not(segment_name_parse(names[i], &first_seq, &ordinal), "'%s'", names[i]);
        cr_assert(first_seq == 7 && ordinal == 8, "'%s' changes the outputs", names[i]);
    }
}

/* ---- Headers ---------------------------------------------------------------------------------------------------- */

static const struct segment_header sample = {
    .compatible = 0x80000001,
    .journal_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .ordinal = 0x04030201,
    .first_seq = 0x0807060504030201,
    .segment_bytes = 0x00104000,
    .created_us = 0x1817161514131211,
    .previous_chain = 0x24232221,
};

/* The header's checksum is right, whatever its fields are. */
static void seal(uint8_t bytes[SEGMENT_HEADER_BYTES])
{
    put_u32(bytes + 508, crc32c(0, bytes, 508));
}

Test(segment, the_header_is_as_documented)
{
    static const uint8_t expected[80] = {
        'S',  'E',  'T',  'T',  'L',  'E',  'J',  '1',  1,    0,    0,    0,    0, 2, 0, 0,
        1,    0,    0,    0x80, 0,    0,    0,    0,    1,    2,    3,    4,    5, 6, 7, 8,
        9,    10,   11,   12,   13,   14,   15,   16,   1,    2,    3,    4,    0, 0, 0, 0,
        1,    2,    3,    4,    5,    6,    7,    8,    0,    0x40, 0x10, 0,    0, 0, 0, 0,
        0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0, 0, 0, 0,
    };
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    memset(bytes, 0xee, sizeof bytes);
    segment_header_encode(&sample, bytes);
    cr_assert_eq(memcmp(bytes, expected, sizeof expected), 0);
    cr_assert(bytes_are_zero(bytes + 76, 508 - 76));
    cr_assert_eq(get_u32(bytes + 508), crc32c(0, bytes, 508));
}

Test(segment, a_header_comes_back)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_header header;
    segment_header_encode(&sample, bytes);
    EXPECT_OK(segment_header_decode(bytes, "x.seg", &header, &test_error));
    cr_assert_eq(header.compatible, sample.compatible);
    cr_assert_eq(header.incompatible, 0);
    cr_assert_eq(memcmp(header.journal_id, sample.journal_id, 16), 0);
    cr_assert_eq(header.ordinal, sample.ordinal);
    cr_assert_eq(header.first_seq, sample.first_seq);
    cr_assert_eq(header.segment_bytes, sample.segment_bytes);
    cr_assert_eq(header.created_us, sample.created_us);
    cr_assert_eq(header.previous_chain, sample.previous_chain);
}

Test(segment, every_flipped_bit_of_a_header_is_found)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    segment_header_encode(&sample, bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        struct segment_header header = {.ordinal = 77};
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_STATUS(segment_header_decode(bytes, "x.seg", &header, &test_error), SETTLE_E_CORRUPT);
        cr_assert_str_eq(test_error.file, "x.seg");
        cr_assert_eq(header.ordinal, 77);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(segment, a_newer_version_or_feature_is_refused_as_such)
{
    struct segment_header header;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    segment_header_encode(&sample, bytes);
    put_u32(bytes + 8, 2);
    seal(bytes);
    EXPECT_STATUS(segment_header_decode(bytes, "x.seg", &header, &test_error), SETTLE_E_UNSUPPORTED);
    cr_assert_eq(test_error.offset_bytes, 8);
    for (uint32_t bit = 0; bit < 32; bit++) {
        segment_header_encode(&sample, bytes);
        put_u32(bytes + 20, UINT32_C(1) << bit);
        seal(bytes);
        EXPECT_STATUS(segment_header_decode(bytes, "x.seg", &header, &test_error), SETTLE_E_UNSUPPORTED);
        cr_assert_eq(test_error.offset_bytes, 20);
        segment_header_encode(&sample, bytes);
        put_u32(bytes + 16, UINT32_C(1) << bit);
        seal(bytes);
        EXPECT_OK(segment_header_decode(bytes, "x.seg", &header, &test_error));
    }
}

Test(segment, a_header_out_of_range_is_refused)
{
    static const struct {
        size_t offset;
        uint64_t value;
        size_t bytes;
    } rows[] = {
        {12, 511, 4},        {12, 1024, 4},        {40, UINT64_C(1) << 32, 8},
        {48, 0, 8},          {56, 0, 8},           {56, 12288, 8},
        {56, 16385, 8},      {56, 16384 + 512, 8}, {56, (UINT64_C(1) << 30) + 4096, 8},
        {56, UINT64_MAX, 8},
    };
    struct segment_header header;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    for (size_t i = 0; i < COUNT(rows); i++) {
        segment_header_encode(&sample, bytes);
        if (rows[i].bytes == 4)
            put_u32(bytes + rows[i].offset, (uint32_t)rows[i].value);
        else
            put_u64(bytes + rows[i].offset, rows[i].value);
        seal(bytes);
        cr_assert_eq(segment_header_decode(bytes, "x.seg", &header, NULL), SETTLE_E_CORRUPT, "row %zu", i);
    }
    /*
     * Up to 255 a byte that is not zero has a meaning that this version cannot know; from there on it may be ignored.
     */
    for (size_t at = 76; at < 508; at++) {
        segment_header_encode(&sample, bytes);
        bytes[at] = 1;
        seal(bytes);
        settle_status expected = at < 256 ? SETTLE_E_CORRUPT : SETTLE_OK;
        cr_assert_eq(segment_header_decode(bytes, "x.seg", &header, NULL), expected, "byte %zu", at);
    }
    static const uint64_t sizes[] = {16384, 16384 + 4096, UINT64_C(1) << 30};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct segment_header fine = sample;
        fine.segment_bytes = sizes[i];
        segment_header_encode(&fine, bytes);
        EXPECT_OK(segment_header_decode(bytes, "x.seg", &header, &test_error));
    }
}

Test(segment, the_chain_begins_with_the_journal_id)
{
    static const uint8_t id[] = "123456789abcdefg";
    cr_assert_eq(segment_chain_genesis(id), crc32c(0, "123456789abcdefg", 16));
}

/* ---- A list ------------------------------------------------------------------------------------------------------ */

#define LISTED 3
static struct segment_entry listed[LISTED];
static const struct segment_list list = {listed, LISTED, NULL};

static void list_begin(void)
{
    for (uint64_t i = 0; i < LISTED; i++) {
        listed[i] = (struct segment_entry){.header = {.journal_id = {1}, .ordinal = i, .first_seq = 1 + 10 * i}};
        listed[i].header.segment_bytes = 65536;
        segment_name(listed[i].header.first_seq, i, listed[i].name);
    }
    listed[0].header.previous_chain = segment_chain_genesis(listed[0].header.journal_id);
}

static void expect_list_refused(size_t index, const char *sentence)
{
    EXPECT_STATUS(segment_list_check(&list, &test_error), SETTLE_E_CORRUPT);
    cr_assert_str_eq(test_error.file, listed[index].name);
    cr_assert_not_null(strstr(test_error.text, sentence), "%s", test_error.text);
    list_begin();
    EXPECT_OK(segment_list_check(&list, &test_error));
}

Test(segment, a_list_begins_a_journal_and_has_each_ordinal_once)
{
    list_begin();
    EXPECT_OK(segment_list_check(&list, &test_error));
    listed[1].header.first_seq = listed[2].header.first_seq = 1; /* segments without an event begin with the same */
    EXPECT_OK(segment_list_check(&list, &test_error));
    listed[0].header.ordinal = 1;
    expect_list_refused(0, "are missing");
    listed[0].header.first_seq = 2;
    expect_list_refused(0, "does not begin a journal");
    listed[0].header.previous_chain ^= 1;
    expect_list_refused(0, "does not begin a journal");
    listed[1].header.journal_id[15] = 1;
    expect_list_refused(1, "another journal");
    listed[2].header.segment_bytes *= 2;
    expect_list_refused(2, "another journal");
    listed[2].header.ordinal = 1;
    expect_list_refused(2, "have the same ordinal: one is a copy");
    listed[2].header.ordinal = 3;
    expect_list_refused(2, "a segment is missing");
    listed[2].header.first_seq = 10;
    expect_list_refused(2, "a segment is missing");
}
