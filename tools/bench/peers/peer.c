/* peer.c — see peer.h: the rules, and the groups. Also under test as the plainest form of the stream's rules. */
#include "tools/bench/peers/peer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool peer_fail(const char *name, const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s: %s\n", name, what, detail);
    return false;
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* ---- Rows ---- */

static uint64_t content_of(const struct stream_event *e)
{
    const uint64_t members[] = {(uint64_t)e->type,
                                e->asset,
                                e->ts_ms,
                                e->user,
                                e->seller,
                                (uint64_t)e->amount,
                                (uint64_t)e->price_cents,
                                (uint64_t)e->buyer_fee,
                                (uint64_t)e->seller_fee};
    uint64_t digest = 0;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        digest = random_mix(digest ^ members[i]);
    return digest;
}

static void row_make(const struct stream *stream, uint64_t index, struct peer_row *row)
{
    memset(row, 0, sizeof *row);
    stream_at(stream, index, &row->event);
    if (row->event.type == SETTLE_TRADE)
        row->id_bytes = stream_trade_id(&row->event, row->id);
    else
        row->id_bytes =
            (size_t)snprintf(row->id, sizeof row->id, "%" PRIu64 "%c%" PRIu64 ".%" PRIu32, row->event.ts_ms,
                             row->event.type == SETTLE_DEPOSIT ? 'd' : 'w', row->event.user, row->event.asset);
    row->content = content_of(&row->event);
    row->seq = index + 1;
}

/* ---- Accounts of a group ---- */

enum { ACCOUNTS_MAX = 4 * PEER_GROUP_MAX + 2 * STREAM_ASSETS, ACCOUNT_SLOTS = 1 << 17 };

/* Where the account's slot is, or where it would be. */
static uint32_t *account_slot(const struct peer_group *group, uint64_t user, uint32_t asset)
{
    size_t slot = random_mix(user * STREAM_ASSETS + asset) % ACCOUNT_SLOTS;
    while (group->slots[slot] != 0) {
        const struct peer_account *account = &group->accounts[group->slots[slot] - 1];
        if (account->user == user && account->asset == asset)
            break;
        slot = (slot + 1) % ACCOUNT_SLOTS;
    }
    return &group->slots[slot];
}

struct peer_account *peer_account_find(const struct peer_group *group, uint64_t user, uint32_t asset)
{
    uint32_t index = *account_slot(group, user, asset);
    assert(index != 0);
    return &group->accounts[index - 1];
}

static void name_account(struct peer_group *group, uint64_t user, uint32_t asset)
{
    uint32_t *slot = account_slot(group, user, asset);
    if (*slot != 0)
        return;
    assert(group->account_count < ACCOUNTS_MAX);
    group->accounts[group->account_count++] = (struct peer_account){.user = user, .asset = asset};
    *slot = (uint32_t)group->account_count;
}

static void name_accounts(struct peer_group *group)
{
    for (size_t i = 0; i < group->account_count; i++) /* of the group before, from the end of each chain */
        *account_slot(group, group->accounts[group->account_count - 1 - i].user,
                      group->accounts[group->account_count - 1 - i].asset) = 0;
    group->account_count = 0;
    for (uint32_t asset = 1; asset <= STREAM_ASSETS; asset++) {
        name_account(group, SETTLE_USER_EXTERNAL, asset);
        name_account(group, SETTLE_USER_FEES, asset);
    }
    for (size_t i = 0; i < group->row_count; i++) {
        const struct stream_event *event = &group->rows[i].event;
        name_account(group, event->user, event->type == SETTLE_TRADE ? STREAM_BASE : event->asset);
        if (event->type != SETTLE_TRADE)
            continue;
        name_account(group, event->user, STREAM_QUOTE);
        name_account(group, event->seller, STREAM_BASE);
        name_account(group, event->seller, STREAM_QUOTE);
    }
}

/* ---- The rules ---- */

struct leg {
    struct peer_account *account;
    int64_t delta;
};

static void add_leg(struct leg *legs, size_t *count, const struct peer_group *group, uint64_t user, uint32_t asset,
                    int64_t delta)
{
    if (delta != 0)
        legs[(*count)++] = (struct leg){peer_account_find(group, user, asset), delta};
}

static size_t legs_of(const struct peer_group *group, const struct stream_event *e, struct leg legs[PEER_LEGS_MAX])
{
    size_t count = 0;
    if (e->type != SETTLE_TRADE) {
        int64_t delta = e->type == SETTLE_DEPOSIT ? e->amount : -e->amount;
        add_leg(legs, &count, group, e->user, e->asset, delta);
        add_leg(legs, &count, group, SETTLE_USER_EXTERNAL, e->asset, -delta);
        return count;
    }
    add_leg(legs, &count, group, e->user, STREAM_QUOTE, -e->quote_amount);
    add_leg(legs, &count, group, e->seller, STREAM_BASE, -e->amount);
    add_leg(legs, &count, group, e->user, STREAM_BASE, e->amount - e->buyer_fee);
    add_leg(legs, &count, group, e->seller, STREAM_QUOTE, e->quote_amount - e->seller_fee);
    add_leg(legs, &count, group, SETTLE_USER_FEES, STREAM_BASE, e->buyer_fee);
    add_leg(legs, &count, group, SETTLE_USER_FEES, STREAM_QUOTE, e->seller_fee);
    return count;
}

static bool is_covered(const struct leg *legs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (legs[i].delta < 0 && legs[i].account->user < SETTLE_USER_EXTERNAL &&
            legs[i].account->available < -legs[i].delta)
            return false;
    return true;
}

static bool decide(const struct peer_system *system, struct peer *peer, struct peer_group *group, struct peer_row *row,
                   struct peer_counts *counts)
{
    struct leg legs[PEER_LEGS_MAX];
    size_t leg_count = legs_of(group, &row->event, legs);
    bool is_accepted = is_covered(legs, leg_count);
    row->outcome = is_accepted ? SETTLE_ACCEPTED : SETTLE_REJECTED;
    row->reason = is_accepted ? SETTLE_REASON_NONE : SETTLE_REASON_INSUFFICIENT_FUNDS;
    if (row->is_known)
        row->outcome = row->content == row->known_content ? SETTLE_DUPLICATE : SETTLE_CONFLICT;
    if (!system->append(peer, row))
        return false;
    counts->accepted += row->outcome == SETTLE_ACCEPTED;
    counts->rejected += row->outcome == SETTLE_REJECTED;
    counts->duplicate += row->outcome == SETTLE_DUPLICATE;
    counts->conflict += row->outcome == SETTLE_CONFLICT;
    for (size_t i = 0; i < leg_count && row->outcome == SETTLE_ACCEPTED; i++) {
        legs[i].account->available += legs[i].delta;
        legs[i].account->version++;
        legs[i].account->is_changed = true;
    }
    return true;
}

/* ---- Ids that a group has twice ---- */

static uint64_t id_digest(const struct peer_row *row)
{
    uint64_t digest = row->id_bytes;
    for (size_t at = 0; at < row->id_bytes; at += 8) {
        uint64_t word = 0;
        memcpy(&word, row->id + at, row->id_bytes - at < 8 ? row->id_bytes - at : 8);
        digest = random_mix(digest ^ word);
    }
    return digest;
}

bool peer_mark_repeats(struct peer_group *group)
{
    enum { SLOTS = 4 * PEER_GROUP_MAX };
    uint16_t *slots = calloc(SLOTS, sizeof *slots); /* row + 1 */
    if (slots == NULL)
        return peer_fail("bench_peer", "memory", "none");
    for (size_t i = 0; i < group->row_count; i++) {
        struct peer_row *row = &group->rows[i];
        size_t slot = id_digest(row) % SLOTS;
        while (slots[slot] != 0 && strcmp(group->rows[slots[slot] - 1].id, row->id) != 0)
            slot = (slot + 1) % SLOTS;
        if (slots[slot] != 0 && !row->is_known) {
            const struct peer_row *first = &group->rows[slots[slot] - 1];
            row->is_known = true;
            row->known_seq = first->seq;
            row->known_content = first->content;
        } else {
            slots[slot] = (uint16_t)(i + 1);
        }
    }
    free(slots);
    return true;
}

/* ---- Running ---- */

static bool run_group(const struct peer_system *system, struct peer *peer, struct peer_group *group,
                      struct peer_counts *counts)
{
    uint64_t consumed_us = clock_us(CLOCK_REALTIME);
    name_accounts(group);
    if (!system->load(peer, group))
        return false;
    uint64_t decided_us = clock_us(CLOCK_REALTIME);
    for (size_t i = 0; i < group->row_count; i++) {
        group->rows[i].consumed_us = consumed_us;
        group->rows[i].decided_us = decided_us;
        if (!decide(system, peer, group, &group->rows[i], counts))
            return false;
    }
    return system->commit(peer, group);
}

bool peer_run(const struct peer_system *system, struct peer *peer, const struct stream *stream, uint64_t count,
              size_t group_max, struct peer_counts *ret_counts)
{
    struct peer_row *rows = malloc((size_t)count * sizeof *rows);
    struct peer_group group = {.accounts = malloc(ACCOUNTS_MAX * sizeof *group.accounts),
                               .slots = calloc(ACCOUNT_SLOTS, sizeof *group.slots)};
    struct peer_counts counts = {0};
    bool good = rows != NULL && group.accounts != NULL && group.slots != NULL;
    assert(group_max >= 1 && group_max <= PEER_GROUP_MAX);
    for (uint64_t i = 0; good && i < count; i++)
        row_make(stream, i, &rows[i]);
    uint64_t started = clock_us(CLOCK_MONOTONIC);
    for (uint64_t at = 0; good && at < count; at += group.row_count) {
        group.persisted_from = at == 0 ? 0 : at - group.row_count + 1;
        group.persisted_to = at;
        group.rows = &rows[at];
        group.row_count = count - at < group_max ? (size_t)(count - at) : group_max;
        good = run_group(system, peer, &group, &counts);
    }
    counts.elapsed_ns = (clock_us(CLOCK_MONOTONIC) - started) * 1000;
    free(rows);
    free(group.accounts);
    free(group.slots);
    *ret_counts = counts;
    return good;
}

/* ---- Balances ---- */

struct kept {
    struct peer_account *accounts;
    size_t count, capacity;
};

static int compare_accounts(const void *left, const void *right)
{
    const struct peer_account *a = left, *b = right;
    if (a->user != b->user)
        return a->user < b->user ? -1 : 1;
    return (a->asset > b->asset) - (a->asset < b->asset);
}

static void keep_account(void *context, const struct peer_account *account)
{
    struct kept *kept = context;
    if (kept->count == kept->capacity) {
        kept->capacity = kept->capacity == 0 ? 1024 : 2 * kept->capacity;
        kept->accounts = realloc(kept->accounts, kept->capacity * sizeof *kept->accounts);
        if (kept->accounts == NULL)
            abort();
    }
    kept->accounts[kept->count++] = *account;
}

bool peer_balances_write(const struct peer_system *system, struct peer *peer, const char *path)
{
    struct kept kept = {NULL, 0, 0};
    bool good = system->balances(peer, keep_account, &kept);
    FILE *file = good ? fopen(path, "we") : NULL;
    if (kept.count > 0)
        qsort(kept.accounts, kept.count, sizeof *kept.accounts, compare_accounts);
    for (size_t i = 0; file != NULL && i < kept.count; i++)
        fprintf(file, "%" PRIu64 " %" PRIu32 " %" PRId64 " %" PRIu64 "\n", kept.accounts[i].user,
                kept.accounts[i].asset, kept.accounts[i].available, kept.accounts[i].version);
    free(kept.accounts);
    if (good && (file == NULL || fclose(file) != 0))
        return peer_fail("bench_peer", path, strerror(errno));
    return good;
}
