/*
 * log_scene.h — a journal over several days, a follower of it, and what its files must be: rendered from the journal's
 * beginning in one go and cut into files by code that knows nothing of the follower's.
 *
 *     scene_init(&scene, seed);              // an empty journal and the name of a log directory
 *     scene_grow(&scene, 20, 3);             // 20 frames over 3 days
 *     scene.options.rotate_bytes = 4000;
 *     scene_follow(&scene);                  // a follower's whole life
 *     scene_expect_files(&scene);
 *     scene_deinit(&scene);
 *
 * What must succeed and does not ends the process with a message.
 */
#ifndef TESTS_LIB_LOG_SCENE_H
#define TESTS_LIB_LOG_SCENE_H

#include "journal/follow/follower.h"
#include "journal/follow/log_files.h"
#include "tests/lib/journal_builder.h"

#define SCENE_DAY_US UINT64_C(86400000000)

struct log_scene {
    struct journal_builder builder;
    char logs[TEMPDIR_PATH_BYTES];   /* inside the data directory's temporary one; does not exist yet */
    struct follower_options options; /* all days and sizes kept, no floor of free space */
    char told[16384];                /* what the followers said, a message a line */
    size_t told_bytes;
    struct journal_reader *reader; /* of the follower that is open */
    struct follower *follower;
    struct follower_progress progress;
};

void scene_init(struct log_scene *scene, uint64_t seed);
void scene_deinit(struct log_scene *scene);
/* More of the journal; between two frames a day begins `days` times. */
void scene_grow(struct log_scene *scene, size_t frames, size_t days);

/* ---- A follower, in pieces or as a whole ---- */

settle_status scene_try_open(struct log_scene *scene, settle_error *error);
void scene_open(struct log_scene *scene);
void scene_step(struct log_scene *scene); /* the journal's status must be good; a pause is fine */
/* Until all is written and nothing is left to be compressed; a pause ends the process. */
void scene_catch_up(struct log_scene *scene);
void scene_close(struct log_scene *scene);
/* The follower's process dies here: nothing is synced or saved any more. */
void scene_kill(struct log_scene *scene);
void scene_follow(struct log_scene *scene); /* open, catch_up, close */
bool scene_told(const struct log_scene *scene, const char *text);

/* ---- Files ---- */

struct scene_file {
    char name[LOG_NAME_BYTES];
    char *bytes;
    size_t count;
};
struct scene_files {
    struct scene_file *files; /* rotated ones in order, the current one last */
    size_t count;
};
/* What the files must be for the journal and the options; the oldest first. */
void scene_expected(struct log_scene *scene, struct scene_files *ret_files);
/* What they are, decompressed; hidden files are left out. */
void scene_found(const struct log_scene *scene, struct scene_files *ret_files);
void scene_files_free(struct scene_files *files);
/* NULL, or a sentence about the first that differs; static. */
const char *scene_difference(const struct scene_files *a, const struct scene_files *b);
/* The same bytes in a row, however they are cut. */
const char *scene_difference_joined(const struct scene_files *a, const struct scene_files *b);
void scene_expect_files(struct log_scene *scene);
/* The same, while files may still be about to be compressed. */
void scene_expect_lines(struct log_scene *scene);

/* One file of the log directory. */
void scene_write(const struct log_scene *scene, const char *name, const void *bytes, size_t count);
char *scene_read(const struct log_scene *scene, const char *name, size_t *ret_count); /* NULL: not there */
void scene_remove(const struct log_scene *scene, const char *name);
void scene_rename(const struct log_scene *scene, const char *from, const char *to);
bool scene_has(const struct log_scene *scene, const char *name);
/* Puts the directory into a state: exactly these files. */
void scene_restore(const struct log_scene *scene, const struct scene_files *files);

#endif
