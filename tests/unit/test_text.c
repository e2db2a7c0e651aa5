/* test_text.c — the words behind the public numbers, and the defaults that settle.h states. */
#include <settle/settle.h>

#include <stdio.h>
#include <stddef.h>
#include <string.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(text);

Test(text, statuses_have_their_name_and_sentence)
{
    cr_assert_str_eq(settle_status_name(SETTLE_OK), "SETTLE_OK");
    cr_assert_str_eq(settle_status_name(SETTLE_E_BUSY), "SETTLE_E_BUSY");
    cr_assert_str_eq(settle_status_name(SETTLE_E_ACCESS), "SETTLE_E_ACCESS");
    cr_assert_str_eq(settle_status_sentence(SETTLE_OK), "done");
    cr_assert_str_eq(settle_status_sentence(SETTLE_E_BUSY), "another writer has the directory");
}

Test(text, every_status_has_words_of_its_own)
{
    static const settle_status all[] = {
#define X(name, value, sentence) SETTLE_##name,
        SETTLE_STATUS_MAP(X)
#undef X
    };
    static const char *const names[] = {
#define X(name, value, sentence) "SETTLE_" #name,
        SETTLE_STATUS_MAP(X)
#undef X
    };
    const size_t count = sizeof all / sizeof *all;
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq((int)all[i], -(int)i, "the numbers are 0, -1, -2 … without a gap");
        cr_assert_str_eq(settle_status_name(all[i]), names[i]);
        cr_assert_gt(strlen(settle_status_sentence(all[i])), 3);
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(settle_status_sentence(all[i]), settle_status_sentence(all[j]));
    }
}

Test(text, outcomes_have_the_documented_words)
{
    cr_assert_str_eq(settle_outcome_name(SETTLE_ACCEPTED), "accepted");
    cr_assert_str_eq(settle_outcome_name(SETTLE_REJECTED), "rejected");
    cr_assert_str_eq(settle_outcome_name(SETTLE_DUPLICATE), "duplicate");
    cr_assert_str_eq(settle_outcome_name(SETTLE_CONFLICT), "conflict");
}

Test(text, reasons_have_the_documented_words_and_numbers)
{
    static const char *const words[] = {
        "",
        "unknown_asset",
        "self_trade",
        "same_asset",
        "amount_overflow",
        "inexact_amount",
        "price_mismatch",
        "fee_exceeds_amount",
        "insufficient_funds",
        "balance_overflow",
    };
    for (int i = 0; i < 10; i++)
        cr_assert_str_eq(settle_reason_name((settle_reason)i), words[i]);
    cr_assert_eq(SETTLE_REASON_BALANCE_OVERFLOW, 9);
    cr_assert_str_eq(settle_reason_name((settle_reason)10), "unknown");
}

Test(text, types_have_the_words_of_an_event)
{
    cr_assert_str_eq(settle_type_name(SETTLE_DEPOSIT), "deposit");
    cr_assert_str_eq(settle_type_name(SETTLE_WITHDRAWAL), "withdrawal");
    cr_assert_str_eq(settle_type_name(SETTLE_TRADE), "trade");
}

Test(text, what_is_unknown_has_words_too)
{
    cr_assert_str_eq(settle_status_name((settle_status)-99), "SETTLE_E_UNKNOWN");
    cr_assert_str_eq(settle_status_name((settle_status)1), "SETTLE_E_UNKNOWN");
    cr_assert_gt(strlen(settle_status_sentence((settle_status)-99)), 3);
    cr_assert_str_eq(settle_outcome_name((settle_outcome)0), "unknown");
    cr_assert_str_eq(settle_outcome_name((settle_outcome)5), "unknown");
    cr_assert_str_eq(settle_type_name((settle_event_type)0), "unknown");
    cr_assert_str_eq(settle_type_name((settle_event_type)4), "unknown");
}

Test(text, the_version_is_the_headers)
{
    unsigned major, minor, patch;
    char rest;
    cr_assert_str_eq(settle_version(), SETTLE_VERSION);
    cr_assert_eq(sscanf(settle_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}

Test(text, options_start_with_the_documented_defaults)
{
    settle_options options;
    memset(&options, 0xa5, sizeof options);
    settle_options_init(&options);
    cr_assert_eq(options.size_bytes, sizeof options);
    cr_assert_eq(options.segment_bytes, 64u << 20);
    cr_assert_eq(options.commit_events_max, 8192);
    cr_assert_eq(options.commit_interval_us_max, 1000);
    cr_assert_eq(options.checkpoint_interval_ms, 1000);
    cr_assert_eq(options.checkpoint_events_max, 262144);
    cr_assert_null((void *)(size_t)options.clock_us);
    cr_assert_null((void *)(size_t)options.reallocate);
    cr_assert_null((void *)(size_t)options.log);
    cr_assert_null(options.context);
}

/* A program that was compiled with a smaller struct has no room behind it; one with a greater struct has zeros there. */
Test(text, options_of_another_size_are_filled_to_their_end_and_no_further)
{
    union {
        unsigned char bytes[sizeof(settle_options) + 64];
        settle_options options;
        settle_lines_options lines;
    } room;
    const size_t sizes[] = {sizeof(size_t), offsetof(settle_options, checkpoint_events_max), sizeof(settle_options) + 32};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(&room, 0xa5, sizeof room);
        settle_options_init_sized(&room.options, sizes[i]);
        cr_assert_eq(room.options.size_bytes, sizes[i]);
        cr_assert(sizes[i] < 16 || room.options.segment_bytes == 64u << 20);
        for (size_t at = sizes[i]; at < sizeof room; at++)
            cr_assert_eq(room.bytes[at], 0xa5, "byte %zu of %zu", at, sizes[i]);
        for (size_t at = sizeof(settle_options); at < sizes[i]; at++)
            cr_assert_eq(room.bytes[at], 0);

        memset(&room, 0xa5, sizeof room);
        settle_lines_options_init_sized(&room.lines, sizes[i]);
        cr_assert_eq(room.lines.size_bytes, sizes[i]);
        for (size_t at = sizes[i]; at < sizeof room; at++)
            cr_assert_eq(room.bytes[at], 0xa5, "byte %zu of %zu", at, sizes[i]);
        for (size_t at = sizeof(settle_lines_options); at < sizes[i]; at++)
            cr_assert_eq(room.bytes[at], 0);
    }
}
