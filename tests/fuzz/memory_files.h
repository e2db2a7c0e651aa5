/*
 * memory_files.h — the journal's files in memory (memory_files.c takes the place of journal/base/file.c): a hundred times as
 * many inputs as on a file system.
 */
#ifndef TESTS_FUZZ_MEMORY_FILES_H
#define TESTS_FUZZ_MEMORY_FILES_H

#include "tests/fuzz/history.h"

/* From now on every file is one of the image. Returns the data directory's descriptor. */
int memory_files_use(struct image *image, bool is_locked);

#endif
