/*
 * projection.c — folding frames. The only place that turns VALIDATED records into account states.
 * Invariant: after projection_add() an account's state is the one behind the last frame added that touched it.
 */
#include "engine/projection.h"

#include <assert.h>
#include <string.h>

#include "engine/amount.h"
#include "journal/base/bytes.h"
#include "journal/base/status.h"

/* How many records ahead the slots of accounts are brought into the cache, and then the accounts they name. */
#define PREFETCH_SLOTS 16
#define PREFETCH_ACCOUNTS 8

settle_status projection_init(struct projection *projection, const struct mem *mem, bool wants_ids)
{
    *projection = (struct projection){.mem = mem, .wants_ids = wants_ids, .names.mem = mem};
    return accounts_init(&projection->accounts, mem, 0);
}

void projection_deinit(struct projection *projection)
{
    if (projection->mem == NULL)
        return;
    accounts_deinit(&projection->accounts);
    registry_deinit(&projection->names);
    if (projection->ids != NULL)
        mem_free(projection->mem, projection->ids);
    if (projection->arrivals != NULL)
        mem_free(projection->mem, projection->arrivals);
    *projection = (struct projection){.mem = NULL};
}

struct store_batch projection_batch(const struct projection *projection, const struct journal_point *point)
{
    const struct projection *p = projection;
    return (struct store_batch){
        .accounts = &p->accounts,
        .ids = p->ids,
        .id_count = p->id_count,
        .arrivals = p->arrivals,
        .arrival_count = p->arrival_count,
        .assets = p->names.assets,
        .asset_count = p->names.asset_count,
        .sources = p->names.sources,
        .source_count = p->names.source_count,
        .point = *point,
    };
}

void projection_clear(struct projection *projection)
{
    accounts_clear(&projection->accounts);
    registry_deinit(&projection->names);
    projection->names.mem = projection->mem;
    projection->id_count = projection->arrival_count = 0;
    projection->event_count = 0;
    projection->bounds = (struct id_bounds){.natural_ts_ms = 0};
}

const char *account_leg_fault(const struct account *account, const settle_leg *leg, bool is_complete)
{
    if (account->version == 0 && !is_complete)
        return NULL;
    settle_int128 available, held;
    if (!amount_add(account->available, leg->delta_available, &available) ||
        !amount_add(account->held, leg->delta_held, &held) || available != leg->after_available || held != leg->after_held)
        return "before + delta is not after";
    if (leg->version != account->version + 1)
        return "the account's version does not follow";
    return leg->previous_position == account->last_position ? NULL : "the account's chain of changes is broken";
}

void account_take_leg(struct account *account, const settle_leg *leg, uint64_t seq, uint64_t position)
{
    account->available = leg->after_available;
    account->held = leg->after_held;
    account->version = leg->version;
    account->last_seq = seq;
    account->last_position = position;
}

static settle_status add_legs(struct projection *p, const struct record *record, uint64_t event_position,
                              settle_error *error)
{
    const struct record_validated *validated = &record->u.validated;
    if (accounts_reserve(&p->accounts, validated->leg_count) != SETTLE_OK)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for accounts");
    for (uint32_t i = 0; i < validated->leg_count; i++) {
        const settle_leg *leg = &validated->legs[i];
        struct account *account = accounts_upsert(&p->accounts, leg->user, leg->asset);
        const char *fault = account_leg_fault(account, leg, false);
        if (fault != NULL)
            return fail_at(error, SETTLE_E_CORRUPT, "journal", record->position, record->seq, "%s", fault);
        account_take_leg(account, leg, record->seq, event_position);
    }
    return SETTLE_OK;
}

/* Room for one more in an array that doubles. */
static bool grow(const struct mem *mem, void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 1024 : *capacity * 2;
    void *memory = mem_resize(mem, *array, wanted, size);
    if (memory == NULL)
        return false;
    *array = memory;
    *capacity = wanted;
    return true;
}

static settle_status add_id(struct projection *p, const struct record *consumed, settle_error *error)
{
    void *ids = p->ids;
    if (!grow(p->mem, &ids, p->id_count, &p->id_capacity, sizeof *p->ids))
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for event ids");
    p->ids = ids;
    struct store_id *id = &p->ids[p->id_count++];
    event_key_of(&consumed->u.consumed, &id->key);
    id->position = consumed->position;
    id_bounds_add(&p->bounds, &id->key);
    return SETTLE_OK;
}

static settle_status add_arrival(struct projection *p, const struct record *repeat, uint64_t event_position,
                                 settle_error *error)
{
    void *arrivals = p->arrivals;
    if (!grow(p->mem, &arrivals, p->arrival_count, &p->arrival_capacity, sizeof *p->arrivals))
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for arrivals");
    p->arrivals = arrivals;
    p->arrivals[p->arrival_count++] = (struct store_arrival){repeat->u.repeat.first_position, event_position};
    return SETTLE_OK;
}

static settle_status add_source(struct projection *p, const struct record_source *source, settle_error *error)
{
    uint32_t number = registry_source_number(&p->names, source->name);
    if (number == 0)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a source");
    p->names.sources[number - 1].offset_bytes = source->offset_bytes;
    p->names.sources[number - 1].line = source->line;
    return SETTLE_OK;
}

/* Of the records from *ahead on, as far as `records` records: the accounts that an event names. */
static void prefetch_records(const struct accounts *accounts, const struct frame *frame, size_t *ahead, unsigned records,
                             void (*prefetch)(const struct accounts *accounts, uint64_t hash))
{
    size_t end = frame->length_bytes - FRAME_TRAILER_BYTES;
    for (unsigned i = 0; i < records && end - *ahead >= CONSUMED_QUANTITY; i++) {
        const uint8_t *at = frame->bytes + *ahead;
        *ahead += get_u16(at + RECORD_LENGTH);
        if (at[RECORD_KIND] != RECORD_CONSUMED)
            continue;
        if (at[CONSUMED_TYPE] != SETTLE_TRADE) {
            prefetch(accounts, accounts_hash(get_u64(at + CONSUMED_USER), get_u32(at + CONSUMED_ASSET)));
            continue;
        }
        for (int party = CONSUMED_BUYER; party <= CONSUMED_SELLER; party += CONSUMED_SELLER - CONSUMED_BUYER)
            for (int asset = CONSUMED_BASE; asset <= CONSUMED_QUOTE; asset += CONSUMED_QUOTE - CONSUMED_BASE)
                prefetch(accounts, accounts_hash(get_u64(at + party), get_u32(at + asset)));
    }
}

struct accounts_ahead accounts_ahead_begin(const struct accounts *accounts, const struct frame *frame)
{
    struct accounts_ahead ahead = {FRAME_HEADER_BYTES, FRAME_HEADER_BYTES};
    prefetch_records(accounts, frame, &ahead.slots, PREFETCH_SLOTS, accounts_prefetch);
    prefetch_records(accounts, frame, &ahead.accounts, PREFETCH_ACCOUNTS, accounts_prefetch_account);
    return ahead;
}

void accounts_ahead_next(struct accounts_ahead *ahead, const struct accounts *accounts, const struct frame *frame)
{
    prefetch_records(accounts, frame, &ahead->slots, 1, accounts_prefetch);
    prefetch_records(accounts, frame, &ahead->accounts, 1, accounts_prefetch_account);
}

settle_status projection_add(struct projection *projection, const struct frame *frame, settle_error *error)
{
    struct projection *p = projection;
    struct record records[2], *consumed = &records[1], *record = &records[0];
    size_t offset = 0;
    struct accounts_ahead ahead = accounts_ahead_begin(&p->accounts, frame);
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && frame_next_record(frame, &offset, record)) {
        accounts_ahead_next(&ahead, &p->accounts, frame);
        switch (record->kind) {
        case RECORD_CONSUMED: /* it stays, and what follows goes into the other */
            consumed = record;
            record = record == &records[0] ? &records[1] : &records[0];
            p->event_count++;
            break;
        case RECORD_VALIDATED:
            status = add_legs(p, record, consumed->position, error);
            if (status == SETTLE_OK && p->wants_ids)
                status = add_id(p, consumed, error);
            break;
        case RECORD_REJECTED:
            if (p->wants_ids)
                status = add_id(p, consumed, error);
            break;
        case RECORD_DUPLICATE:
        case RECORD_CONFLICT:
            status = add_arrival(p, record, consumed->position, error);
            break;
        case RECORD_ASSET:
            status = registry_asset_add(&p->names, &record->u.asset, error);
            if (status == SETTLE_E_CONFLICT)
                status = fail_at(error, SETTLE_E_CORRUPT, "journal", record->position, frame->first_seq,
                                 "an asset is declared twice with different values");
            break;
        case RECORD_SOURCE:
            status = add_source(p, &record->u.source, error);
            break;
        case RECORD_PERSISTED:
        case RECORD_SKIPPABLE:
        default:
            break;
        }
    }
    return status;
}

settle_status projection_read(struct projection *projection, struct journal_reader *reader, struct journal_point *point,
                              uint64_t events_max, settle_error *error)
{
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && projection->event_count < events_max) {
        struct frame frame;
        status = journal_reader_next(reader, point, &frame, error);
        if (status == SETTLE_OK)
            status = projection_add(projection, &frame, error);
    }
    return status;
}
