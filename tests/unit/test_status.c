/* test_status.c — filling a settle_error: every field, long texts, control characters, and errno as a status. */
#include "journal/base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(status);

/* An error full of something else, so that a field that is not set shows. */
static settle_error dirty(void)
{
    settle_error error;
    memset(&error, 0x5a, sizeof(error));
    return error;
}

Test(status, fail_sets_the_status_and_the_sentence_and_clears_the_rest)
{
    settle_error error = dirty();
    cr_assert_eq(fail(&error, SETTLE_E_BUSY, "pid %d has %s", 1234, "it"), SETTLE_E_BUSY);
    cr_assert_eq(error.status, SETTLE_E_BUSY);
    cr_assert_str_eq(error.text, "pid 1234 has it");
    cr_assert_str_eq(error.file, "");
    cr_assert(error.cause_errno == 0 && error.seq == 0 && error.offset_bytes == 0);
}

Test(status, fail_at_names_the_place)
{
    settle_error error = dirty();
    cr_assert_eq(fail_at(&error, SETTLE_E_CORRUPT, "journal/a.seg", UINT64_MAX, 77, "%s", "it is torn"),
                 SETTLE_E_CORRUPT);
    cr_assert_eq(error.status, SETTLE_E_CORRUPT);
    cr_assert_str_eq(error.file, "journal/a.seg");
    cr_assert_eq(error.offset_bytes, UINT64_MAX);
    cr_assert_eq(error.seq, 77);
    cr_assert_eq(error.cause_errno, 0);
    cr_assert_str_eq(error.text, "it is torn");

    error = dirty();
    cr_assert_eq(fail_at(&error, SETTLE_E_INVALID, NULL, 3, 0, "no file"), SETTLE_E_INVALID);
    cr_assert_str_eq(error.file, "");
    cr_assert_eq(error.offset_bytes, 3);
}

Test(status, nobody_needs_to_listen)
{
    cr_assert_eq(fail(NULL, SETTLE_E_END, "%d", 1), SETTLE_E_END);
    cr_assert_eq(fail_at(NULL, SETTLE_E_IO, "file", 1, 2, "%d", 1), SETTLE_E_IO);
    cr_assert_eq(fail_errno(NULL, ENOSPC, "file", "write"), SETTLE_E_NO_SPACE);
}

Test(status, fail_errno_tells_what_and_why)
{
    settle_error error = dirty();
    cr_assert_eq(fail_errno(&error, ENOENT, "lock", "cannot open the file"), SETTLE_E_NOT_FOUND);
    cr_assert_eq(error.status, SETTLE_E_NOT_FOUND);
    cr_assert_eq(error.cause_errno, ENOENT);
    cr_assert_str_eq(error.file, "lock");
    cr_assert_str_eq(error.text, "cannot open the file: No such file or directory");
    cr_assert(error.seq == 0 && error.offset_bytes == 0);

    cr_assert_eq(fail_errno(&error, 0, NULL, "it failed"), SETTLE_E_IO);
    cr_assert_str_eq(error.text, "it failed: error 0");
    cr_assert_eq(fail_errno(&error, 987654, NULL, "it failed"), SETTLE_E_IO);
    cr_assert_not_null(strstr(error.text, "987654"));
}

Test(status, long_texts_and_names_are_cut_and_terminated)
{
    char longer[600];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    for (size_t bytes = 250; bytes < sizeof(longer); bytes++) {
        settle_error error = dirty();
        const char *from = longer + sizeof(longer) - 1 - bytes;
        cr_assert_eq(fail_at(&error, SETTLE_E_IO, from, 0, 0, "%s", from), SETTLE_E_IO);
        size_t file_max = sizeof(error.file) - 1, text_max = sizeof(error.text) - 1;
        cr_assert_eq(strnlen(error.file, sizeof(error.file)), bytes < file_max ? bytes : file_max);
        cr_assert_eq(strnlen(error.text, sizeof(error.text)), bytes < text_max ? bytes : text_max);
    }
}

Test(status, a_bare_name_gets_its_folder)
{
    static const char *const rows[][2] = {{"1.seg", "journal/1.seg"}, {"journal/1.seg", "journal/1.seg"},
                                          {"archive/1.zst", "archive/1.zst"}, {"journal", "journal"},
                                          {".", "."}, {"", ""}};
    char longer[600];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        settle_error error = dirty();
        (void)fail_at(&error, SETTLE_E_IO, rows[i][0], 3, 4, "it failed");
        cr_assert_eq(fail_in(&error, SETTLE_E_IO, "journal"), SETTLE_E_IO);
        cr_assert_str_eq(error.file, rows[i][1]);
        cr_assert(error.offset_bytes == 3 && error.seq == 4);
    }
    settle_error error = dirty(), before = error;
    cr_assert_eq(fail_in(&error, SETTLE_OK, "journal"), SETTLE_OK);
    cr_assert_eq(memcmp(&error, &before, sizeof error), 0);
    cr_assert_eq(fail_in(NULL, SETTLE_E_IO, "journal"), SETTLE_E_IO);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (size_t bytes = 240; bytes < sizeof longer; bytes++) {
        (void)fail_at(&error, SETTLE_E_IO, longer + sizeof longer - 1 - bytes, 0, 0, "it failed");
        (void)fail_in(&error, SETTLE_E_IO, "journal");
        size_t most = sizeof error.file - 1;
        cr_assert_eq(strnlen(error.file, sizeof error.file), bytes + 8 < most ? bytes + 8 : most);
        cr_assert_eq(strncmp(error.file, "journal/xxx", 11), 0);
    }
}

Test(status, a_sentence_has_no_control_characters)
{
    settle_error error;
    cr_assert_eq(fail(&error, SETTLE_E_INVALID, "a\nb\tc%c[2Jd\x7f, naïve", 0x1b), SETTLE_E_INVALID);
    cr_assert_str_eq(error.text, "a?b?c?[2Jd?, naïve");
}

Test(status, errno_is_translated_in_one_place)
{
    static const struct {
        int cause;
        settle_status status;
    } cases[] = {
        {ENOENT, SETTLE_E_NOT_FOUND},
        {EEXIST, SETTLE_E_EXISTS},
        {ENOMEM, SETTLE_E_NO_MEMORY},
        {ENAMETOOLONG, SETTLE_E_INVALID},
        {ENOSPC, SETTLE_E_NO_SPACE},
        {EDQUOT, SETTLE_E_NO_SPACE},
        {EFBIG, SETTLE_E_NO_SPACE},
        {EACCES, SETTLE_E_ACCESS},
        {EPERM, SETTLE_E_ACCESS},
        {EROFS, SETTLE_E_ACCESS},
        {ELOOP, SETTLE_E_ACCESS},
        {ENOTDIR, SETTLE_E_ACCESS},
        {EISDIR, SETTLE_E_ACCESS},
        {ENXIO, SETTLE_E_ACCESS},
        {EIO, SETTLE_E_IO},
        {EINVAL, SETTLE_E_IO},
        {EMFILE, SETTLE_E_IO},
        {ENFILE, SETTLE_E_IO},
        {EAGAIN, SETTLE_E_IO},
        {ESTALE, SETTLE_E_IO},
        {0, SETTLE_E_IO},
        {-1, SETTLE_E_IO},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        settle_error error;
        cr_assert_eq(status_of_errno(cases[i].cause), cases[i].status, "errno %d", cases[i].cause);
        cr_assert_eq(fail_errno(&error, cases[i].cause, "f", "w"), cases[i].status, "errno %d", cases[i].cause);
    }
    for (int cause = -10; cause < 200; cause++)
        cr_assert_lt(status_of_errno(cause), SETTLE_OK, "errno %d must be a failure", cause);
}
