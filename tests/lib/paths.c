/* paths.c — finds the real data that is not part of the project. */
#include "tests/lib/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *test_data_path(const char *name)
{
    static char path[4096];
    const char *folder = getenv("SETTLE_TEST_DATA");
    if (!folder || !*folder)
        folder = TEST_SOURCE_DIR "/../shared/data";
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path || access(path, R_OK) != 0)
        return NULL;
    return path;
}
