/* reconcile.h — an outside statement against ours: what is missing on either side and what differs. */
#ifndef TOOLS_RECONCILE_H
#define TOOLS_RECONCILE_H

#include "query/query.h"
#include "tools/statement.h"

/* What part of ours counts. */
struct reconcile_scope {
    bool is_past; /* balances: as they were behind at_seq */
    uint64_t at_seq;
    struct bound since, until; /* events: by seq, or by event time, both inclusive */
};

/* Both report what goes wrong, and return the exit status. */
int reconcile_balances(struct invocation *invocation, struct query *query, struct statement *statement,
                       const struct reconcile_scope *scope);
int reconcile_events(struct invocation *invocation, struct query *query, struct statement *statement,
                     const struct reconcile_scope *scope);

struct reconcile_count {
    const char *name;
    uint64_t value;
};
enum reconcile_verdict {
    RECONCILE_OK,
    RECONCILE_EMPTY, /* nothing differs, and the statement has no row: not ok */
    RECONCILE_NOT_OK,
};
/* The last line, with all counts and the verdict; returns the exit status. */
int reconcile_answer(struct invocation *invocation, const struct reconcile_count *counts, size_t count,
                     enum reconcile_verdict verdict);

#endif
