/* paths.h — where the build and the checkout are, for tests. */
#ifndef TESTS_LIB_PATHS_H
#define TESTS_LIB_PATHS_H

/*
 * Compile definitions, set in tests/CMakeLists.txt:
 *   TEST_SETTLECTL  path of the settlectl that was built; not defined without the tools
 *   TEST_SOURCE_DIR root of the checkout
 *   TEST_GOLDEN_DIR tests/golden
 */

/* Path of `name` among the real data ($SETTLE_TEST_DATA, else ../shared/data beside the checkout), or NULL where it is
 * not: the test then skips. Valid until the next call. */
const char *test_data_path(const char *name);

#endif
