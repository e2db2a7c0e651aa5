/*
 * ingest_run.h — one run of the ingest loop on the fake engine, in a directory of its own: what the loop's tests share.
 *
 *     struct run run;
 *     run_init(&run);
 *     run_write(&run, "a.ndjson", "…", 10);
 *     run_add(&run, "a.ndjson");
 *     EXPECT_OK(run_go(&run));
 *     …run.engine->log, run.result.counts, run.malformed…
 *     run_deinit(&run);
 */
#ifndef TESTS_LIB_INGEST_RUN_H
#define TESTS_LIB_INGEST_RUN_H

#include <signal.h>

#include "ingest/ingest.h"
#include "tests/lib/ingest_fake_engine.h"
#include "tests/lib/tempdir.h"

#define RUN_PATHS_MAX 8
#define RUN_MALFORMED_MAX 64

struct run_malformed {
    char source[TEMPDIR_PATH_BYTES];
    uint64_t line;
    size_t byte;
    char reason[128];
};

struct run {
    char directory[TEMPDIR_BYTES], reject_directory[TEMPDIR_PATH_BYTES]; /* DIRECTORY/rejects */
    settle *engine;
    struct ingest_options options;
    struct ingest_result result;
    settle_error error;
    volatile sig_atomic_t stop;
    char paths[RUN_PATHS_MAX][TEMPDIR_PATH_BYTES];
    const char *path_list[RUN_PATHS_MAX];

    struct run_malformed malformed[RUN_MALFORMED_MAX];
    size_t malformed_count; /* also those behind the last place */
    unsigned progress_calls;
    struct ingest_counts progress; /* of the last call */
    uint64_t progress_bytes_total;
};

void run_init(struct run *run);
void run_deinit(struct run *run);

/* A file in the directory, and its whole path. */
const char *run_write(struct run *run, const char *name, const void *bytes, size_t count);
/* The next input: a name in the directory, or "-". */
const char *run_add(struct run *run, const char *name);
/* Runs. The engine, and with it what it knows of sources, stays for another run. */
settle_status run_go(struct run *run);

/* The reject file's bytes, terminated; NULL: there is none. Free it. */
char *run_rejects(const struct run *run, size_t *ret_bytes);
/* How many files are in the reject directory. */
unsigned run_reject_files(const struct run *run);
/* Standard input becomes this descriptor, which is closed. */
void run_take_stdin(int fd);

/* A deposit of `user` as a line with newline, in a static buffer. */
const char *run_deposit(uint64_t user);

#endif
