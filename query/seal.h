/*
 * seal.h — what sealing, proving and checking a seal share in query/: a walk over the journal's frames that hashes
 * them, and the seals that lie in a data directory.
 */
#ifndef QUERY_SEAL_H
#define QUERY_SEAL_H

#include "journal/base/file.h"
#include "journal/seal/seal.h"
#include "journal/seal/sealing.h"
#include "query/internal.h"

#define SEALS_NAME "seals"
#define FRONTIER_NAME "frontier"

/* A file at a path as a seal; nobody's signature is looked at. */
settle_status seal_read(const char *path, struct sealed *ret_sealed, settle_error *error);

/* ---- The walk ---------------------------------------------------------------------------------------------------- */

struct seal_walk {
    int data_fd;
    struct journal_reader *reader;
    struct sealing sealing;
};
/* At the journal's first frame; its end is what is durable now. */
settle_status seal_walk_open(const char *directory, struct seal_walk *ret_walk, settle_error *error);
void seal_walk_close(struct seal_walk *walk); /* also of a zeroed struct whose data_fd is -1 */
void seal_walk_rewind(struct seal_walk *walk);
/* SETTLE_E_END: that was the last frame. */
settle_status seal_walk_next(struct seal_walk *walk, leaf_visit visit, void *context, settle_error *error);
/*
 * From where the walk stands to the end of the seal. SETTLE_E_CONFLICT: the journal is not what was sealed; the
 * sentence says how, naming the seal as `name`, or as the one given where that is NULL. SETTLE_E_CORRUPT: it is damaged on the way.
 */
settle_status seal_walk_to(struct seal_walk *walk, const struct sealed *sealed, const char *name, leaf_visit visit,
                           void *context, settle_error *error);
/* What the walk has come to, but for the seal before. */
struct seal seal_of_walk(const struct seal_walk *walk);

/* ---- The seals of a data directory ------------------------------------------------------------------------------- */

struct seal_entry {
    char name[64];
    uint64_t size, position; /* as its name says; position 0 where the name has none */
};
struct seal_list {
    int fd;                     /* of the directory; -1: there is none */
    struct seal_entry *entries; /* oldest first */
    size_t count;
};
settle_status seal_list_open(int data_fd, bool create, struct seal_list *ret_list, settle_error *error);
void seal_list_close(struct seal_list *list); /* also of a zeroed struct whose fd is -1 */
/* SETTLE_E_MALFORMED: the file is no seal. */
settle_status seal_list_read(const struct seal_list *list, size_t index, struct sealed *ret_sealed,
                             settle_error *error);
/* The last one that the key has signed, before `end`; *ret_index list->count: none. */
settle_status seal_list_newest(const struct seal_list *list, const struct seal_key *key, size_t end,
                               struct sealed *ret_sealed, size_t *ret_index, settle_error *error);

#endif
