/* reconcile_members.h — the members of an event or a change as texts that can be compared with a statement's cells. */
#ifndef TOOLS_RECONCILE_MEMBERS_H
#define TOOLS_RECONCILE_MEMBERS_H

#include "tools/reconcile.h"

#define MEMBER_BYTES 80 /* of one member's text */
#define MEMBER_SUMMARY_BYTES 256

/* A cell that is not empty in its one form: no zeros behind the point, no plus, an asset by its symbol. NULL, or what is
 * wrong with it. */
const char *member_canonical(const struct query *query, enum column column, const char *cell,
                             char ret_text[MEMBER_BYTES]);
/* Ours, with all decimals; "" when the event has no such member. `leg` is one change of it, or NULL. */
void member_ours(const struct query *query, const struct journal_event *event, const settle_leg *leg,
                 enum column column, char ret_text[MEMBER_BYTES]);
/* An event or a change in a few words. */
void member_summary(const struct query *query, const struct journal_event *event, const settle_leg *leg,
                    char ret_text[MEMBER_SUMMARY_BYTES]);
/* Decimals of a text. */
size_t member_decimals(const char *text);
/* A canonical text as ours are shown: an amount with at least so many decimals, anything else as it is. */
void member_shown(enum column column, const char *theirs, size_t decimals, char ret_text[MEMBER_BYTES]);
/* `theirs` is canonical. */
bool member_equal(enum column column, const char *ours, const char *theirs);

#endif
