/* What the log directory needs of base/file.h: a directory others read, identities, cutting, replacing, a lock of
 * its own. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"
#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"
#include "tests/lib/tree.h"

static char root[TEMPDIR_BYTES];
static int root_fd = -1;

static void begin(void)
{
    tempdir_make(root);
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(root_fd, 0);
}

static void end(void)
{
    close(root_fd);
    tempdir_remove(root);
    leaks_check();
}

TestSuite(file_shared, .init = begin, .fini = end, .timeout = 60);

static const char *path_of(const char *name)
{
    static char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, root, name);
    return path;
}

static unsigned mode_of(const char *name)
{
    struct stat status;
    cr_assert_eq(stat(path_of(name), &status), 0);
    return status.st_mode & 07777;
}

static void put(const char *name, const char *text)
{
    int fd = -1;
    EXPECT_OK(file_open_at(root_fd, name, FILE_CREATE_OR_WRITE, &fd, &test_error));
    EXPECT_OK(file_write(fd, name, 0, text, strlen(text), &test_error));
    file_close(fd);
}

static void expect_text(const char *name, const char *text)
{
    size_t count;
    unsigned char *bytes = tree_read(path_of(name), &count);
    cr_assert(count == strlen(text) && memcmp(bytes, text, count) == 0, "%s: %zu bytes", name, count);
    free(bytes);
}

Test(file_shared, a_directory_is_made_with_0750_whatever_the_umask)
{
    int fd = -1;
    mode_t before = umask(0277);
    EXPECT_OK(dir_open_shared(path_of("logs//"), true, &fd, &test_error));
    umask(before);
    cr_assert_eq(mode_of("logs"), 0750);
    file_close(fd);
    cr_assert_eq(chmod(path_of("logs"), 0777), 0);
    EXPECT_OK(dir_open_shared(path_of("logs"), true, &fd, &test_error)); /* one that is there is left as it is */
    cr_assert_eq(mode_of("logs"), 0777);
    file_close(fd);
}

Test(file_shared, a_directory_may_be_or_lie_behind_a_link)
{
    int fd = -1;
    cr_assert_eq(mkdirat(root_fd, "real", 0700), 0);
    cr_assert_eq(symlinkat("real", root_fd, "link"), 0);
    EXPECT_OK(dir_open_shared(path_of("link"), true, &fd, &test_error));
    file_close(fd);
    EXPECT_OK(dir_open_shared(path_of("link/logs"), true, &fd, &test_error));
    file_close(fd);
    cr_assert_eq(mode_of("real/logs"), 0750);
}

Test(file_shared, a_directory_that_cannot_be_is_an_error)
{
    int fd = 77;
    put("file", "x");
    EXPECT_STATUS(dir_open_shared(path_of("file"), true, &fd, &test_error), SETTLE_E_ACCESS);
    EXPECT_STATUS(dir_open_shared(path_of("absent"), false, &fd, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(dir_open_shared(path_of("absent/logs"), true, &fd, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(dir_open_shared("", true, &fd, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(symlinkat("nowhere", root_fd, "dangling"), 0);
    EXPECT_STATUS(dir_open_shared(path_of("dangling"), true, &fd, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(fd, 77);
}

Test(file_shared, space_is_told)
{
    uint64_t free_bytes = 0, total_bytes = 0;
    EXPECT_OK(dir_space(root_fd, "root", &free_bytes, &total_bytes, &test_error));
    cr_assert(free_bytes > 0 && free_bytes <= total_bytes);
    EXPECT_STATUS(dir_space(-1, "root", &free_bytes, &total_bytes, &test_error), SETTLE_E_IO);
    cr_assert_str_eq(test_error.file, "root");
}

Test(file_shared, files_are_made_with_the_permissions_asked_for)
{
    int fd = -1;
    mode_t before = umask(0777);
    EXPECT_OK(file_open_shared_at(root_fd, "log", FILE_CREATE_OR_WRITE, 0640, &fd, &test_error));
    umask(before);
    file_close(fd);
    cr_assert_eq(mode_of("log"), 0640);
    EXPECT_STATUS(file_open_shared_at(root_fd, "log", FILE_CREATE, 0640, &fd, &test_error), SETTLE_E_EXISTS);
    cr_assert_eq(symlinkat("log", root_fd, "link"), 0);
    EXPECT_STATUS(file_open_shared_at(root_fd, "link", FILE_CREATE_OR_WRITE, 0640, &fd, &test_error), SETTLE_E_ACCESS);
}

Test(file_shared, an_identity_goes_with_the_file_not_its_name)
{
    struct file_identity before, after, other;
    int fd = -1;
    put("a", "12345");
    put("b", "");
    EXPECT_OK(file_open_at(root_fd, "a", FILE_READ, &fd, &test_error));
    EXPECT_OK(file_identify(fd, "a", &before, &test_error));
    cr_assert(before.bytes == 5 && before.is_regular);
    EXPECT_OK(file_rename_at(root_fd, "a", "c", &test_error));
    EXPECT_OK(file_identify_at(root_fd, "c", &after, &test_error));
    EXPECT_OK(file_identify_at(root_fd, "b", &other, &test_error));
    cr_assert(before.device == after.device && before.inode == after.inode && before.inode != other.inode);
    EXPECT_STATUS(file_identify_at(root_fd, "a", &other, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(symlinkat("b", root_fd, "link"), 0);
    EXPECT_OK(file_identify_at(root_fd, "link", &other, &test_error));
    cr_assert_not(other.is_regular);
    file_close(fd);
    EXPECT_STATUS(file_identify(-1, "a", &other, &test_error), SETTLE_E_IO);
}

Test(file_shared, a_file_is_cut_and_replaced)
{
    int fd = -1;
    put("old", "old text");
    put("new", "new text");
    EXPECT_OK(file_open_at(root_fd, "new", FILE_WRITE, &fd, &test_error));
    EXPECT_OK(file_truncate(fd, "new", 3, &test_error));
    file_close(fd);
    EXPECT_OK(file_replace_at(root_fd, "new", "old", &test_error));
    expect_text("old", "new");
    cr_assert_not(file_exists_at(root_fd, "new"));
    EXPECT_STATUS(file_replace_at(root_fd, "new", "old", &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(file_truncate(-1, "x", 3, &test_error), SETTLE_E_IO);
    expect_text("old", "new");
}

Test(file_shared, locks_of_other_names_are_locks_of_their_own)
{
    int first = -1, second = -1, third = -1;
    EXPECT_OK(lock_take_at(root_fd, &first, &test_error));
    EXPECT_OK(lock_take_name_at(root_fd, ".lock", "follower", &second, &test_error));
    EXPECT_STATUS(lock_take_name_at(root_fd, ".lock", "follower", &third, &test_error), SETTLE_E_BUSY);
    cr_assert_str_eq(test_error.text, "another follower has the directory"); /* it has not signed */
    EXPECT_OK(lock_sign(second, ".lock", &test_error));
    EXPECT_STATUS(lock_take_name_at(root_fd, ".lock", "follower", &third, &test_error), SETTLE_E_BUSY);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "another follower (pid %ld) has the directory", (long)getpid());
    cr_assert_str_eq(test_error.text, expected);
    cr_assert_str_eq(test_error.file, ".lock");
    file_close(second);
    EXPECT_OK(lock_take_name_at(root_fd, ".lock", "follower", &third, &test_error));
    file_close(third);
    file_close(first);
}
