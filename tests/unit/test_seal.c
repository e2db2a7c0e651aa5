/* test_seal.c — the seal's text: one spelling, a known seal of a known key, every bit and every cut refused. */
#include "journal/seal/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"
#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(seal);

/* The key of RFC 8032, 7.1, test 1. */
#define PRIVATE_PEM                                                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                                                                    \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                                               \
    "-----END PRIVATE KEY-----\n"
#define PUBLIC_PEM                                                                                                     \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"                                                   \
    "-----END PUBLIC KEY-----\n"

/* Made from docs/seals.md by another program. */
static const char known_text[] =
    "settle/000102030405060708090a0b0c0d0e0f\n"
    "34\n"
    "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n"
    "position 4096\n"
    "frames AgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE=\n"
    "time 2024-12-10T18:50:00.123456Z\n"
    "assets AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI=\n"
    "previous BAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiM=\n"
    "\n"
    "\xe2\x80\x94 settle/000102030405060708090a0b0c0d0e0f "
    "wDE39tNXcLSUH+7lTmFqDtb8pEvaPHNCg2g4fy/JRGD9MQ+K7EVRFHsGoEplLTCoEF1qi5rQgTxw+XMXawq+RO87ngQ=\n";
static const char known_verifier[] =
    "settle/000102030405060708090a0b0c0d0e0f+c03137f6+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

static char dir[TEMPDIR_BYTES], path[TEMPDIR_PATH_BYTES];
static struct seal_key key;

static void write_file(const char *name, const char *text, mode_t mode)
{
    tempdir_join(path, dir, name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    cr_assert_eq(chmod(path, mode), 0);
}

static void begin(void)
{
    tempdir_make(dir);
    write_file("key", PRIVATE_PEM, 0600);
    EXPECT_OK(key_read_private(path, -1, &key, &test_error));
}

static void end(void)
{
    key_deinit(&key);
    tempdir_remove(dir);
}

#define KEYED .init = begin, .fini = end

static struct seal known_seal(void)
{
    struct seal seal = {.size = 34, .position = 4096, .time_us = UINT64_C(1733856600123456), .has_previous = true};
    for (uint8_t i = 0; i < 32; i++) {
        if (i < 16)
            seal.journal_id[i] = i;
        seal.root.bytes[i] = (uint8_t)(i + 1);
        seal.frames.bytes[i] = (uint8_t)(i + 2);
        seal.assets.bytes[i] = (uint8_t)(i + 3);
        seal.previous.bytes[i] = (uint8_t)(i + 4);
    }
    return seal;
}

static settle_status decode(const char *text, struct sealed *ret_sealed)
{
    return seal_decode(text, strlen(text), "a.seal", ret_sealed, &test_error);
}

Test(seal, a_known_seal_is_written_so_for_ever, KEYED)
{
    struct seal seal = known_seal();
    struct sealed sealed;
    char verifier[SEAL_VERIFIER_BYTES];
    EXPECT_OK(seal_sign(&seal, &key, &sealed, &test_error));
    cr_assert_str_eq(sealed.text, known_text);
    cr_assert_eq(sealed.bytes, strlen(known_text));
    seal_verifier(seal.journal_id, &key, verifier);
    cr_assert_str_eq(verifier, known_verifier);
}

Test(seal, what_is_written_is_read, KEYED)
{
    static const uint64_t times[] = {0,
                                     1,
                                     UINT64_C(951782399999999),     /* 2000-02-28T23:59:59 */
                                     UINT64_C(951782400000000),     /* the leap day */
                                     UINT64_C(1709251200000000),    /* 2024-03-01 */
                                     UINT64_C(4107542400000000),    /* 2100-03-01: no leap year */
                                     UINT64_C(253402300799999999)}; /* the last one */
    struct seal seal = known_seal();
    struct sealed sealed, again;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        seal.time_us = times[i];
        seal.has_previous = i % 2 == 0;
        seal.size = i == 0 ? 0 : (UINT64_MAX >> 1) >> (8 * i);
        seal.position = UINT64_MAX >> i;
        EXPECT_OK(seal_sign(&seal, &key, &sealed, &test_error));
        EXPECT_OK(decode(sealed.text, &again));
        cr_assert(seal_equal(&again.seal, &seal), "%s", sealed.text);
        cr_assert_eq(again.seal.has_previous, seal.has_previous);
        cr_assert(!seal.has_previous || digest_equal(&again.seal.previous, &seal.previous));
        cr_assert(seal_is_signed_by(&again, &key));
    }
}

Test(seal, no_bit_of_a_seal_can_be_flipped_and_no_end_cut, KEYED)
{
    struct sealed sealed;
    char text[sizeof known_text];
    memcpy(text, known_text, sizeof text);
    EXPECT_OK(decode(text, &sealed));
    cr_assert(seal_is_signed_by(&sealed, &key));
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        bool is_good = seal_decode(text, sizeof text - 1, "a.seal", &sealed, NULL) == SETTLE_OK &&
                       seal_is_signed_by(&sealed, &key);
        cr_assert_not(is_good, "bit %zu", bit);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t count = 0; count < sizeof text - 1; count++)
        EXPECT_STATUS(seal_decode(text, count, "a.seal", &sealed, &test_error), SETTLE_E_MALFORMED);
}

/* The text with `from` replaced. */
static const char *changed(const char *from, const char *to)
{
    static char text[2 * sizeof known_text + 256];
    const char *at = strstr(known_text, from);
    cr_assert_not_null(at, "%s", from);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - known_text), known_text, to, at + strlen(from));
    return text;
}

Test(seal, another_spelling_is_no_seal, KEYED)
{
    static const char *const cases[][2] = {
        {"\n34\n", "\n034\n"},
        {"\n34\n", "\n+34\n"},
        {"\n34\n", "\n\n"},
        {"\n34\n", "\n9223372036854775808\n"},
        {"\n34\n", "\n99999999999999999999\n"},
        {"\n34\n", "\n18446744073709551616\n"}, /* 2^64, found when the last digit is added */
        {"2024-12-10T18", "2024-00-10T18"},
        {"AQIDBAUG", "AQ?DBAUG"},
        {"position 4096", "position 04096"},
        {"position 4096", "position  4096"},
        {"position 4096", "Position 4096"},
        {"settle/00", "settle/0G"},
        {"settle/0001", "settle/01"},
        {"2024-12-10T18", "2024-13-10T18"},
        {"2024-12-10T18", "2024-02-30T18"},
        {"2024-12-10T18", "2024-12-10T24"},
        {"2024-12-10T18", "1969-12-10T18"},
        {".123456Z", ".123456+00:00"},
        {".123456Z", ".12345Z"},
        {"AQIDBAUG", "AQIDBAU="},
        {"\n\n", "\nmore of it\n\n"},
        {"\n\n", "\n"},
        {"\xe2\x80\x94 ", "- "},
    };
    struct sealed sealed;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_STATUS(decode(changed(cases[i][0], cases[i][1]), &sealed), SETTLE_E_MALFORMED);
        cr_assert_str_eq(test_error.file, "a.seal");
    }
    EXPECT_STATUS(seal_decode(known_text, sizeof known_text, "a.seal", &sealed, &test_error), SETTLE_E_MALFORMED);
}

#define DASH "\xe2\x80\x94 "

/* Lines of signatures behind a good one; what is no line of one is no seal. */
Test(seal, a_signature_has_a_name_and_something_behind_it_and_there_are_not_many, KEYED)
{
    static const struct {
        const char *line;
        int times;
        bool is_good;
    } rows[] = {
        {DASH "witness AAAA\n", 1, true},
        {DASH "witness AAAA\n", 15, true},
        {DASH "witness AAAA\n", 16, false}, /* with the first one too many */
        {DASH " AAAA\n", 1, false},         /* nobody's */
        {DASH "witness \n", 1, false},      /* of nothing */
        {DASH "witness\n", 1, false},
        {DASH "witness AAAA", 1, false},
        {"witness AAAA\n", 1, false},
    };
    struct sealed sealed;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[SEAL_TEXT_BYTES_MAX + 1];
        size_t at = (size_t)snprintf(text, sizeof text, "%s", known_text);
        for (int n = 0; n < rows[i].times; n++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s", rows[i].line);
        EXPECT_STATUS(decode(text, &sealed), rows[i].is_good ? SETTLE_OK : SETTLE_E_MALFORMED);
        cr_assert(!rows[i].is_good || seal_is_signed_by(&sealed, &key), "row %zu", i);
    }
}

/* Lines with the key's own name that are no signature of its: of another length, of another key's id, of bytes that are no base64. */
Test(seal, what_has_the_keys_name_and_not_its_form_is_passed_over, KEYED)
{
    static const char *const signatures[] = {
        "AAAA", "????????????????????????????????????????????????????????????????????????????????????????????",
        "AAAA39tNXcLSUH+7lTmFqDtb8pEvaPHNCg2g4fy/JRGD9MQ+K7EVRFHsGoEplLTCoEF1qi5rQgTxw+XMXawq+RO87ngQ="};
    struct sealed sealed;
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        char text[2 * sizeof known_text];
        snprintf(text, sizeof text, "%s" DASH "settle/000102030405060708090a0b0c0d0e0f %s\n", known_text, signatures[i]);
        EXPECT_OK(decode(text, &sealed));
        cr_assert(seal_is_signed_by(&sealed, &key), "row %zu: the good one counts", i);
    }
}

Test(seal, a_text_that_is_too_long_is_no_seal, KEYED)
{
    char *text = malloc(SEAL_TEXT_BYTES_MAX + 1000);
    struct sealed sealed;
    size_t count = (size_t)sprintf(text, "%s" DASH "witness ", known_text);
    memset(text + count, 'A', SEAL_TEXT_BYTES_MAX - count);
    text[SEAL_TEXT_BYTES_MAX - 1] = '\n';
    EXPECT_OK(seal_decode(text, SEAL_TEXT_BYTES_MAX, "a.seal", &sealed, &test_error));
    memset(text + count, 'A', SEAL_TEXT_BYTES_MAX + 1 - count);
    text[SEAL_TEXT_BYTES_MAX] = '\n';
    EXPECT_STATUS(seal_decode(text, SEAL_TEXT_BYTES_MAX + 1, "a.seal", &sealed, &test_error), SETTLE_E_MALFORMED);
    free(text);
}

Test(seal, a_witness_may_sign_as_well_and_counts_for_nothing, KEYED)
{
    char text[2 * sizeof known_text];
    struct sealed sealed;
    struct seal_key other = {.pkey = NULL};
    snprintf(text, sizeof text, "%s\xe2\x80\x94 witness.example/w1 AAAA\n", known_text);
    EXPECT_OK(decode(text, &sealed));
    cr_assert(seal_is_signed_by(&sealed, &key));
    tempdir_join(path, dir, "other");
    EXPECT_OK(key_create(path, -1, &test_error));
    EXPECT_OK(key_read_private(path, -1, &other, &test_error));
    cr_assert_not(seal_is_signed_by(&sealed, &other));
    key_deinit(&other);
    EXPECT_OK(decode(changed("\n\n\xe2\x80\x94 settle/", "\n\n\xe2\x80\x94 other/"), &sealed));
    cr_assert_not(seal_is_signed_by(&sealed, &key));
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

Test(seal, a_key_file_is_what_other_tools_write, KEYED)
{
    struct seal_key other = {.pkey = NULL};
    write_file("public", PUBLIC_PEM, 0644);
    EXPECT_OK(key_read_public(path, &other, &test_error));
    cr_assert_eq(memcmp(other.public_bytes, key.public_bytes, KEY_PUBLIC_BYTES), 0);
    cr_assert_eq(key.public_bytes[0], 0xd7);
    key_deinit(&other);
}

Test(seal, what_is_no_key_is_refused_without_asking_for_a_passphrase, KEYED)
{
    static const char *const texts[] = {
        "", "rubbish", PUBLIC_PEM,
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\n-----END PRIVATE KEY-----\n",
        /* X25519 */
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
        "-----END PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAw\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n"};
    struct seal_key other = {.pkey = NULL};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_file("other", texts[i], 0600);
        EXPECT_STATUS(key_read_private(path, -1, &other, &test_error), SETTLE_E_INVALID);
        cr_assert_null(other.pkey);
    }
    write_file("other", PRIVATE_PEM, 0600);
    EXPECT_STATUS(key_read_public(path, &other, &test_error), SETTLE_E_INVALID);
    tempdir_join(path, dir, "missing");
    EXPECT_STATUS(key_read_private(path, -1, &other, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(key_read_private(dir, -1, &other, &test_error), SETTLE_E_ACCESS);
    cr_assert_eq(mkfifo(path, 0600), 0);
    EXPECT_STATUS(key_read_private(path, -1, &other, &test_error), SETTLE_E_ACCESS);
}

Test(seal, a_new_key_overwrites_nothing_and_is_private_whatever_the_umask, KEYED)
{
    struct stat st;
    struct seal_key other = {.pkey = NULL}, public = {.pkey = NULL};
    char public_path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, dir, "new");
    tempdir_join(public_path, dir, "new.pub");
    umask(0);
    EXPECT_OK(key_create(path, -1, &test_error));
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    EXPECT_OK(key_read_private(path, -1, &other, &test_error));
    EXPECT_OK(key_read_public(public_path, &public, &test_error));
    cr_assert_eq(memcmp(other.public_bytes, public.public_bytes, KEY_PUBLIC_BYTES), 0);
    cr_assert_neq(memcmp(other.public_bytes, key.public_bytes, KEY_PUBLIC_BYTES), 0);
    EXPECT_STATUS(key_create(path, -1, &test_error), SETTLE_E_EXISTS);
    cr_assert_eq(unlink(path), 0); /* the public half alone is in the way as well */
    EXPECT_STATUS(key_create(path, -1, &test_error), SETTLE_E_EXISTS);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_eq(unlink(public_path), 0);
    cr_assert_eq(symlink("nowhere", path), 0); /* nor is a link followed */
    EXPECT_STATUS(key_create(path, -1, &test_error), SETTLE_E_EXISTS);
    EXPECT_STATUS(key_create("", -1, &test_error), SETTLE_E_INVALID);
    tempdir_join(path, dir, "no/such/folder");
    EXPECT_STATUS(key_create(path, -1, &test_error), SETTLE_E_NOT_FOUND);
    key_deinit(&other);
    key_deinit(&public);
}

Test(seal, a_directory_is_inside_itself_and_what_is_above_it, KEYED)
{
    char inner[TEMPDIR_PATH_BYTES], name[TEMPDIR_PATH_BYTES];
    int data_fd = -1;
    struct seal_key other = {.pkey = NULL};
    tempdir_join(inner, dir, "data");
    EXPECT_OK(dir_open(inner, true, &data_fd, &test_error));
    tempdir_join(name, inner, "key");
    EXPECT_STATUS(key_create(name, data_fd, &test_error), SETTLE_E_INVALID);
    tempdir_join(name, inner, "deep");
    cr_assert_eq(mkdir(name, 0700), 0);
    tempdir_join(name, inner, "deep/key");
    EXPECT_STATUS(key_create(name, data_fd, &test_error), SETTLE_E_INVALID);
    tempdir_join(name, inner, "deep/../../beside");
    EXPECT_OK(key_create(name, data_fd, &test_error));
    EXPECT_OK(key_read_private(name, data_fd, &other, &test_error));
    key_deinit(&other);
    file_close(data_fd);
}
