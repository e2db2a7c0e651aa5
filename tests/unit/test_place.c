/* test_place.c — small files at paths of a user's: which paths are refused, what is read, and whose secrets. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"
#include "journal/base/place.h"
#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(place);

static char base[TEMPDIR_BYTES];

static void begin(void)
{
    tempdir_make(base);
    cr_assert_eq(chdir(base), 0);
}

static void end(void)
{
    cr_assert_eq(chdir("/"), 0);
    tempdir_remove(base);
}

#define PLACE .init = begin, .fini = end

static void put(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

/* ---- The parts of a path ---- */

Test(place, a_path_is_a_directory_and_a_name, PLACE)
{
    static const struct {
        const char *path, *name;
    } good[] = {
        {"seal", "seal"}, {"./seal", "seal"}, {"/seal", "seal"}, {"/tmp/..seal", "..seal"}, {"a/.hidden", ".hidden"}};
    char name[PLACE_NAME_BYTES];
    int fd = -1;
    cr_assert_eq(mkdir("a", 0700), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        EXPECT_OK(place_open_parent(good[i].path, &fd, name, &test_error));
        cr_assert_str_eq(name, good[i].name);
        file_close(fd);
    }
}

Test(place, a_path_without_a_name_is_refused, PLACE)
{
    static const char *const bad[] = {"", "/", "a/", ".", "..", "a/.", "a/.."};
    char name[PLACE_NAME_BYTES] = "untouched";
    int fd = -7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_STATUS(place_open_parent(bad[i], &fd, name, &test_error), SETTLE_E_INVALID);
        cr_assert_eq(fd, -7);
        cr_assert_str_eq(name, "untouched");
    }
}

Test(place, a_name_or_a_folder_that_is_too_long_is_refused, PLACE)
{
    char path[PATH_MAX + 300], name[PLACE_NAME_BYTES];
    int fd = -1;
    memset(path, 'n', sizeof path);
    path[PLACE_NAME_BYTES] = '\0'; /* one more than a name has */
    cr_assert_neq(place_open_parent(path, &fd, name, &test_error), SETTLE_OK);
    cr_assert_eq(test_error.cause_errno, ENAMETOOLONG);
    path[PLACE_NAME_BYTES - 1] = '\0';
    EXPECT_OK(place_open_parent(path, &fd, name, &test_error));
    file_close(fd);
    memset(path, 'n', sizeof path);
    path[PATH_MAX + 1] = '/';
    path[PATH_MAX + 9] = '\0';
    cr_assert_neq(place_open_parent(path, &fd, name, &test_error), SETTLE_OK);
    cr_assert_eq(test_error.cause_errno, ENAMETOOLONG);
}

Test(place, inside_is_the_directory_itself_or_below_it, PLACE)
{
    int outer = -1, inner = -1, beside = -1, root = -1;
    bool is_inside = false;
    EXPECT_OK(dir_open("data", true, &outer, &test_error));
    EXPECT_OK(dir_open("data/keys", true, &inner, &test_error));
    EXPECT_OK(dir_open("data2", true, &beside, &test_error));
    root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT_OK(place_is_inside(outer, outer, &is_inside, &test_error));
    cr_assert(is_inside);
    EXPECT_OK(place_is_inside(inner, outer, &is_inside, &test_error));
    cr_assert(is_inside);
    EXPECT_OK(place_is_inside(outer, inner, &is_inside, &test_error));
    cr_assert_not(is_inside);
    EXPECT_OK(place_is_inside(beside, outer, &is_inside, &test_error));
    cr_assert_not(is_inside);
    EXPECT_OK(place_is_inside(inner, root, &is_inside, &test_error));
    cr_assert(is_inside);
    cr_assert_neq(place_is_inside(-1, outer, &is_inside, &test_error), SETTLE_OK);
    cr_assert_neq(place_is_inside(outer, -1, &is_inside, &test_error), SETTLE_OK);
    file_close(outer);
    file_close(inner);
    file_close(beside);
    file_close(root);
}

/* ---- Reading ---- */

Test(place, a_file_is_read_up_to_the_capacity_and_not_beyond, PLACE)
{
    char bytes[8] = "";
    size_t count = 99;
    put("seven", "1234567", 0600);
    put("eight", "12345678", 0600);
    put("nine", "123456789", 0600);
    put("none", "", 0600);
    EXPECT_OK(place_read("seven", bytes, sizeof bytes, &count, &test_error));
    cr_assert(count == 7 && memcmp(bytes, "1234567", 7) == 0);
    EXPECT_OK(place_read("eight", bytes, sizeof bytes, &count, &test_error));
    cr_assert(count == 8 && memcmp(bytes, "12345678", 8) == 0);
    EXPECT_STATUS(place_read("nine", bytes, sizeof bytes, &count, &test_error), SETTLE_E_INVALID);
    cr_assert_eq(count, 8, "untouched");
    EXPECT_OK(place_read("none", bytes, sizeof bytes, &count, &test_error));
    cr_assert_eq(count, 0);
    EXPECT_STATUS(place_read("absent", bytes, sizeof bytes, &count, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_neq(place_read(".", bytes, sizeof bytes, &count, &test_error), SETTLE_OK, "a directory");
    cr_assert_eq(test_error.cause_errno, EISDIR);
}

/* ---- Secrets ---- */

static settle_status read_secret(const char *path, int outer_fd)
{
    char bytes[8];
    size_t count = 0;
    return place_read_secret(path, outer_fd, bytes, sizeof bytes, &count, &test_error);
}

Test(place, a_secret_that_others_may_read_is_refused, PLACE)
{
    put("mine", "secret", 0600);
    EXPECT_OK(read_secret("mine", -1));
    put("fixed", "secret", 0400);
    EXPECT_OK(read_secret("fixed", -1));
    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        put("open", "secret", 0600 | bit);
        EXPECT_STATUS(read_secret("open", -1), SETTLE_E_ACCESS);
    }
    cr_assert_eq(mkdir("folder", 0700), 0);
    EXPECT_STATUS(read_secret("folder", -1), SETTLE_E_ACCESS);
}

Test(place, a_secret_inside_the_data_directory_is_refused_by_a_link_too, PLACE)
{
    int outer = -1;
    EXPECT_OK(dir_open("data", true, &outer, &test_error));
    put("data/key", "secret", 0600);
    put("key", "secret", 0600);
    cr_assert_eq(symlink("data/key", "link"), 0);
    EXPECT_OK(read_secret("key", outer));
    EXPECT_STATUS(read_secret("data/key", outer), SETTLE_E_INVALID);
    EXPECT_STATUS(read_secret("link", outer), SETTLE_E_INVALID);
    EXPECT_STATUS(read_secret("absent", outer), SETTLE_E_NOT_FOUND);
    file_close(outer);
}

Test(place, root_reads_anothers_secret_and_nobody_else_does, PLACE)
{
    if (geteuid() != 0)
        cr_skip_test("only root can give a file away");
    put("key", "secret", 0600);
    cr_assert_eq(chown("key", 1000, 1000), 0);
    EXPECT_OK(read_secret("key", -1));
    /* As another user who may read it in spite of its mode: there is none, so the open itself fails. */
    cr_assert_eq(chmod(base, 0755), 0);
    cr_assert_eq(seteuid(65534), 0);
    EXPECT_STATUS(read_secret("key", -1), SETTLE_E_ACCESS);
    cr_assert_eq(seteuid(0), 0);
}

/* ---- Writing ---- */

Test(place, a_file_is_written_whole_or_not_at_all, PLACE)
{
    char bytes[16];
    size_t count = 0;
    EXPECT_OK(place_write("new", "first", 5, &test_error));
    EXPECT_STATUS(place_write("new", "second", 6, &test_error), SETTLE_E_EXISTS);
    EXPECT_OK(place_read("new", bytes, sizeof bytes, &count, &test_error));
    cr_assert(count == 5 && memcmp(bytes, "first", 5) == 0);
    struct stat stats;
    cr_assert_neq(stat("new.partial", &stats), 0);
    EXPECT_STATUS(place_write(".", "x", 1, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(place_write("absent/new", "x", 1, &test_error), SETTLE_E_NOT_FOUND);
}
