/* test_expect.c — the tests' own tools: a leak, a wrong status and a forgotten folder do not pass in silence. */
#include "tests/lib/child.h"
#include "tests/lib/expect.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/leaks.h"
#include "tests/lib/paths.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(expect);

static void *volatile kept;

/* Status of a child that loses `lost` blocks of memory and then looks for leaks. */
static int status_of_leaking_child(int lost)
{
    pid_t child = child_fork();
    if (child == 0) {
        for (int i = 0; i < lost; i++)
            kept = malloc(1000 + (size_t)i);
        kept = NULL;
        leaks_check();
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

Test(expect, no_leak_is_no_failure)
{
    cr_assert_eq(status_of_leaking_child(0), 0);
}

#if defined(__SANITIZE_ADDRESS__)
Test(expect, a_leak_ends_the_process)
{
    int status = status_of_leaking_child(5);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %d", status);
}
#endif

Test(expect, the_description_names_sentence_and_place)
{
    settle_error error = {.text = "torn", .file = "journal/0", .offset_bytes = 512, .seq = 7, .cause_errno = 5};
    const char *text = expect_describe(&error);
    cr_assert_str_eq(text, "'torn' (file 'journal/0', offset 512, seq 7, errno 5)");
}

Test(expect, a_status_is_evaluated_once)
{
    int calls = 0;
    EXPECT_OK((calls++, SETTLE_OK));
    EXPECT_STATUS((calls++, SETTLE_E_BUSY), SETTLE_E_BUSY);
    cr_assert_eq(calls, 2);
}

Test(expect, a_temporary_directory_goes_with_what_is_in_it)
{
    char path[TEMPDIR_BYTES], inner[TEMPDIR_PATH_BYTES];
    struct stat status;
    tempdir_make(path);
    tempdir_join(inner, path, "folder");
    cr_assert_eq(mkdir(inner, 0700), 0);
    tempdir_join(inner, path, "folder/closed");
    cr_assert_eq(mkdir(inner, 0), 0);
    tempdir_remove(path);
    cr_assert_neq(stat(path, &status), 0);
}

Test(expect, absent_data_is_no_path)
{
    cr_assert_null(test_data_path("no-such-file"));
    setenv("SETTLE_TEST_DATA", TEST_SOURCE_DIR, 1);
    cr_assert_str_eq(test_data_path("CMakeLists.txt"), TEST_SOURCE_DIR "/CMakeLists.txt");
}
