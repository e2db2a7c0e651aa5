/*
 * tempdir.h — a directory of its own for a test. Below $TMPDIR, else /tmp. A test that crashes leaves its directory
 * behind for inspection.
 */
#ifndef TESTS_LIB_TEMPDIR_H
#define TESTS_LIB_TEMPDIR_H

#define TEMPDIR_BYTES 256

/* Both end the process with a message when they cannot do it. */
void tempdir_make(char ret_path[TEMPDIR_BYTES]);
void tempdir_remove(const char *path); /* with all that is in it */

/* "path/name", terminated; ends the process when it does not fit. */
#define TEMPDIR_PATH_BYTES 512
void tempdir_join(char ret_path[TEMPDIR_PATH_BYTES], const char *path, const char *name);

#endif
