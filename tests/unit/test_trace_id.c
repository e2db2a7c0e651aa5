/*
 * test_trace_id.c — ids derived from event ids, against digests made by sha256sum(1), and the spans of arrivals.
 */
#include "journal/lines/trace_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "journal/base/bytes.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(trace_id);

/* printf %s ID | sha256sum */
static const struct {
    const char *id, *digest;
} vectors[] = {
    {"deposit_1001_2_1733856600000", "9897f6716c325a6e1c6a3779c88240bd7a15e5c586ab3a58e315d4a4bb2cc209"},
    {"a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
    {"trade_T-1", "5ab0c9950f999099621483f3ccd7145fcfa056f3b47cd3d0445c55e1b196affd"},
    {"withdrawal_9223372036854775807_4294967295_9007199254740992",
     "bab570a64a97d922b7abac2ad033b68c002ad14276f8ab2daa6f4cd4eaf7140f"},
    {"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvw.:-z",
     "2c17870d70c3db8f97b5a70c472c6b48f177a3614649635f4171a602433d6bc1"},
    {"fifty-five-bytes-fill-one-block-of-sha-256-with-padding",
     "74eed3ef122532ef606715d185ce4f1d3b60fd69b178408c654ccb3a43a66876"},
    {"fifty-six-bytes-need-a-second-block-for-the-padding-here",
     "6152dde83d299c3cd6c9cfd65cd46d0bcc5584bb64e5c759230b3fbf9d351519"},
    {"deposit_1_1_0", "9047eafaa16e23cf25dec3b941ce888b0b08af1f73c2c68774026bb77c256fdc"},
};
#define VECTOR_COUNT (sizeof vectors / sizeof *vectors)

static struct trace_id trace_of(const char *id)
{
    struct trace_id trace;
    memset(&trace, 0xee, sizeof trace);
    trace_id_of((settle_text){id, strlen(id)}, &trace);
    return trace;
}

Test(trace_id, ids_are_parts_of_the_digest)
{
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        const struct trace_id trace = trace_of(vectors[i].id);
        char text[65];
        for (size_t b = 0; b < sizeof trace.bytes; b++)
            snprintf(text + 2 * b, 3, "%02x", trace.bytes[b]);
        snprintf(text + 32, 33, "%016" PRIx64 "%016" PRIx64, trace.root_span, trace.sample);
        cr_assert_str_eq(text, vectors[i].digest, "%s", vectors[i].id);
    }
}

Test(trace_id, only_the_bytes_of_the_id_count)
{
    const char text[] = "deposit_1001_2_17338566000009";
    struct trace_id trace;
    trace_id_of((settle_text){text, sizeof text - 2}, &trace);
    const struct trace_id expected = trace_of("deposit_1001_2_1733856600000");
    cr_assert_eq(memcmp(&trace, &expected, sizeof trace), 0);
}

/* Padding depends on the length: every length there is, against the library's own way. */
Test(trace_id, ids_of_every_length)
{
    char text[SETTLE_EVENT_ID_BYTES_MAX];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('A' + i % 26);
    for (size_t bytes = 1; bytes <= sizeof text; bytes++) {
        uint8_t digest[32];
        unsigned digest_bytes = 0;
        struct trace_id trace;
        cr_assert_eq(EVP_Digest(text, bytes, digest, &digest_bytes, EVP_sha256(), NULL), 1);
        trace_id_of((settle_text){text, bytes}, &trace);
        cr_assert_eq(memcmp(trace.bytes, digest, sizeof trace.bytes), 0, "%zu bytes", bytes);
        cr_assert_eq(trace.root_span, get_be64(digest + 16), "%zu bytes", bytes);
        cr_assert_eq(trace.sample, get_be64(digest + 24), "%zu bytes", bytes);
    }
}

/* The shell command that the header and logs/README.md give. */
Test(trace_id, the_shell_finds_the_same_trace_id)
{
    FILE *in = popen("printf %s deposit_1001_2_1733856600000 | sha256sum | cut -c1-32", "r");
    char line[64] = "", text[33];
    cr_assert_not_null(in);
    cr_assert_not_null(fgets(line, sizeof line, in));
    cr_assert_eq(pclose(in), 0);
    line[strcspn(line, "\n")] = '\0';
    const struct trace_id trace = trace_of("deposit_1001_2_1733856600000");
    for (size_t b = 0; b < sizeof trace.bytes; b++)
        snprintf(text + 2 * b, 3, "%02x", trace.bytes[b]);
    cr_assert_str_eq(line, text);
}

Test(trace_id, what_sampling_compares_is_spread_evenly)
{
    enum { IDS = 20000, PARTS = 16 };
    size_t counts[PARTS] = {0};
    for (int i = 0; i < IDS; i++) {
        char id[32];
        snprintf(id, sizeof id, "deposit_1_1_%d", i);
        counts[trace_of(id).sample >> 60]++;
    }
    for (size_t i = 0; i < PARTS; i++) /* 1250 expected; six standard deviations are 205 */
        cr_assert(counts[i] > 1045 && counts[i] < 1455, "part %zu: %zu", i, counts[i]);
}

/* ---- Spans ------------------------------------------------------------------------------------------------------- */

#define ROOT UINT64_C(0x0123456789abcdef)

Test(trace_id, the_spans_of_the_first_arrival_follow_the_root)
{
    for (uint64_t seq = 1; seq < 4; seq++)
        for (unsigned step = 0; step <= 3; step++)
            cr_assert_eq(span_id_of(ROOT, true, seq, step), ROOT + step);
}

Test(trace_id, the_spans_of_a_later_arrival_depend_on_its_seq)
{
    cr_assert_eq(span_id_of(ROOT, false, 1, 0), ROOT ^ UINT64_C(0x9e3779b97f4a7c15));
    cr_assert_eq(span_id_of(ROOT, false, 1, 2), (ROOT ^ UINT64_C(0x9e3779b97f4a7c15)) + 2);
    cr_assert_eq(span_id_of(ROOT, false, 2, 0), ROOT ^ UINT64_C(0x3c6ef372fe94f82a)); /* mod 2^64 */
    cr_assert_eq(span_id_of(ROOT, false, UINT64_MAX, 3), (ROOT ^ UINT64_C(0x61c8864680b583eb)) + 3);
}

Test(trace_id, no_span_is_zero)
{
    cr_assert_eq(span_id_of(UINT64_MAX, true, 1, 1), 1);
    cr_assert_eq(span_id_of(UINT64_MAX - 2, true, 1, 3), 1);
    cr_assert_eq(span_id_of(0, true, 1, 0), 1);
    cr_assert_eq(span_id_of(UINT64_C(0x9e3779b97f4a7c15), false, 1, 0), 1);
    cr_assert_eq(span_id_of(UINT64_MAX, true, 1, 2), 1); /* as it wraps */
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(trace_id, the_spans_of_many_arrivals_of_one_id_differ)
{
    enum { ARRIVALS = 50000 };
    static uint64_t spans[ARRIVALS * 4];
    for (uint64_t seq = 1; seq <= ARRIVALS; seq++)
        for (unsigned step = 0; step < 4; step++)
            spans[(seq - 1) * 4 + step] = span_id_of(ROOT, seq == 1, seq, step);
    qsort(spans, ARRIVALS * 4, sizeof *spans, by_value);
    for (size_t i = 1; i < ARRIVALS * 4; i++)
        cr_assert_neq(spans[i], spans[i - 1]);
}
