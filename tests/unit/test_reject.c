/* test_reject.c — the reject file: its name and modes, lines whole or in pieces, lines taken back, and what fails. */
#include "ingest/reject.h"

#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/plain.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(reject);

static char base[TEMPDIR_BYTES], directory[TEMPDIR_PATH_BYTES];
static struct reject file;

static void begin(void)
{
    tempdir_make(base);
    tempdir_join(directory, base, "rejects");
    reject_init(&file, directory);
}

static void end(void)
{
    tempdir_remove(base);
}

static void put_line(const char *bytes, size_t count)
{
    EXPECT_OK(reject_begin_line(&file, &test_error));
    EXPECT_OK(reject_append(&file, bytes, count, &test_error));
    EXPECT_OK(reject_end_line(&file, &test_error));
}

static void expect_file(const char *expected, size_t count)
{
    FILE *stream = fopen(file.path, "rb");
    cr_assert_not_null(stream);
    char *bytes = malloc(count + 2);
    size_t got = fread(bytes, 1, count + 2, stream);
    fclose(stream);
    cr_assert_eq(got, count, "%zu bytes, not %zu", got, count);
    cr_assert(memcmp(bytes, expected, count) == 0);
    free(bytes);
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    CHECK(stat(path, &status) == 0);
    return status.st_mode & 07777;
}

static unsigned files_in(const char *path)
{
    DIR *entries = opendir(path);
    unsigned count = 0;
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        count += entry->d_name[0] != '.';
    if (entries != NULL)
        closedir(entries);
    return count;
}

Test(reject, nothing_is_made_before_the_first_line)
{
    begin();
    EXPECT_OK(reject_sync(&file, &test_error));
    EXPECT_OK(reject_close(&file, &test_error));
    cr_assert_str_eq(file.path, "");
    cr_assert_neq(access(directory, F_OK), 0);
    end();
}

Test(reject, directory_and_file_are_the_owners_whatever_the_umask)
{
    static const unsigned umasks[] = {0, 022, 0777};
    for (size_t i = 0; i < 3; i++) {
        begin();
        mode_t before = umask((mode_t)umasks[i]);
        put_line("x", 1);
        umask(before);
        cr_assert_eq(mode_of(directory), 0700);
        cr_assert_eq(mode_of(file.path), 0600);
        EXPECT_OK(reject_close(&file, &test_error));
        end();
    }
}

Test(reject, a_directory_that_is_there_stays_as_it_is)
{
    begin();
    CHECK(mkdir(directory, 0750) == 0 && chmod(directory, 0750) == 0);
    put_line("x", 1);
    cr_assert_eq(mode_of(directory), 0750);
    EXPECT_OK(reject_close(&file, &test_error));
    end();
}

Test(reject, the_name_has_the_time_and_the_pid)
{
    begin();
    put_line("x", 1);
    char pattern[256];
    snprintf(pattern, sizeof pattern, "/rejects/reject-20[0-9]{6}T[0-9]{6}\\.[0-9]{6}Z-%ld\\.ndjson$", (long)getpid());
    regex_t regex;
    CHECK(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    cr_assert_eq(regexec(&regex, file.path, 0, NULL, 0), 0, "%s", file.path);
    regfree(&regex);
    EXPECT_OK(reject_close(&file, &test_error));
    cr_assert_neq(file.path[0], '\0', "the path outlives the file");
    end();
}

Test(reject, files_of_one_process_have_names_of_their_own)
{
    begin();
    for (int i = 0; i < 300; i++) {
        reject_init(&file, directory);
        put_line("x", 1);
        EXPECT_OK(reject_close(&file, &test_error));
    }
    cr_assert_eq(files_in(directory), 300);
    end();
}

Test(reject, lines_are_copied_byte_for_byte_with_one_newline_each)
{
    begin();
    put_line("a\0b\r", 4);
    put_line("", 0);
    put_line("\xff\xfe\x1b", 3);
    EXPECT_OK(reject_sync(&file, &test_error));
    expect_file("a\0b\r\n\n\xff\xfe\x1b\n", 10);
    put_line("more", 4);
    EXPECT_OK(reject_close(&file, &test_error));
    expect_file("a\0b\r\n\n\xff\xfe\x1b\nmore\n", 15);
    end();
}

Test(reject, a_line_may_come_in_pieces_of_any_size)
{
    begin();
    enum { BYTES = 300000 };
    char *line = malloc(BYTES + 1);
    for (size_t i = 0; i < BYTES; i++)
        line[i] = (char)('a' + i % 23);
    line[BYTES] = '\n';
    EXPECT_OK(reject_begin_line(&file, &test_error));
    static const size_t pieces[] = {1, 65535, 0, 65536, 65537, 3, 100000};
    size_t at = 0;
    for (size_t i = 0; i < 7; at += pieces[i++])
        EXPECT_OK(reject_append(&file, line + at, pieces[i], &test_error));
    EXPECT_OK(reject_append(&file, line + at, BYTES - at, &test_error));
    EXPECT_OK(reject_end_line(&file, &test_error));
    EXPECT_OK(reject_close(&file, &test_error));
    expect_file(line, BYTES + 1);
    free(line);
    end();
}

/* A line begun behind `before` bytes of others, with `half` bytes, then taken back; another follows. */
static void try_abandon(size_t before, size_t half)
{
    begin();
    char *bytes = malloc(before + half + 1);
    memset(bytes, 'x', before + half + 1);
    if (before > 0)
        put_line(bytes, before - 1);
    EXPECT_OK(reject_begin_line(&file, &test_error));
    EXPECT_OK(reject_append(&file, bytes, half, &test_error));
    EXPECT_OK(reject_abandon_line(&file, &test_error));
    EXPECT_OK(reject_sync(&file, &test_error));
    cr_assert_eq(files_in(directory), before > 0, "a file without a line is removed");
    cr_assert_eq(file.path[0] != '\0', before > 0);
    put_line("next", 4);
    EXPECT_OK(reject_close(&file, &test_error));
    char *expected = malloc(before + 5);
    memset(expected, 'x', before);
    if (before > 0)
        expected[before - 1] = '\n';
    memcpy(expected + before, "next\n", 5);
    expect_file(expected, before + 5);
    free(expected);
    free(bytes);
    end();
}

Test(reject, half_a_line_can_be_taken_back)
{
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 200000};
    for (size_t before = 0; before < 7; before++)
        for (size_t half = 0; half < 7; half++)
            try_abandon(sizes[before], sizes[half]);
}

Test(reject, a_directory_that_cannot_be_made_is_an_error)
{
    begin();
    strcat(directory, "/no/such");
    EXPECT_STATUS(reject_begin_line(&file, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_str_eq(test_error.file, directory);
    cr_assert_not_null(strstr(test_error.text, "cannot create the reject directory"), "%s", test_error.text);
    EXPECT_OK(reject_close(&file, &test_error));
    cr_assert_str_eq(file.path, "");
    end();
}

Test(reject, a_directory_that_is_a_file_is_an_error)
{
    begin();
    FILE *stream = fopen(directory, "w");
    CHECK(stream != NULL && fclose(stream) == 0);
    EXPECT_STATUS(reject_begin_line(&file, &test_error), SETTLE_E_ACCESS);
    cr_assert_eq(test_error.cause_errno, ENOTDIR);
    EXPECT_OK(reject_close(&file, &test_error));
    end();
}

/* A limit on the size of files is a disk that is full: at every size some call must say so. */
Test(reject, a_disk_that_is_full_is_never_silent)
{
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0; room < 40; room++) {
        begin();
        struct rlimit limit = {room, RLIM_INFINITY};
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        settle_status status = reject_begin_line(&file, NULL);
        for (int i = 0; i < 4 && status == SETTLE_OK; i++) {
            status = reject_append(&file, "123456789", 9, &test_error);
            if (status == SETTLE_OK)
                status = reject_end_line(&file, &test_error);
            if (status == SETTLE_OK && i % 2 != 0)
                status = reject_sync(&file, &test_error);
        }
        settle_status closed = reject_close(&file, status == SETTLE_OK ? &test_error : NULL);
        status = status == SETTLE_OK ? closed : status;
        limit.rlim_cur = RLIM_INFINITY;
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        cr_assert_eq(status, SETTLE_E_NO_SPACE, "with room for %d: status %d", (int)room, (int)status);
        cr_assert_str_eq(test_error.file, file.path);
        end();
    }
}

Test(reject, what_a_failed_close_leaves_can_be_closed_again)
{
    begin();
    put_line("x", 1);
    EXPECT_OK(reject_close(&file, &test_error));
    EXPECT_OK(reject_close(&file, &test_error));
    end();
}
