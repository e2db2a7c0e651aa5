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

/* Looks for the next event of the frame and which balances it names. */
static void ahead_see(struct accounts_ahead *ahead)
{
    const struct frame *frame = ahead->frame;
    const size_t end = frame->length_bytes - FRAME_TRAILER_BYTES;
    while (end - ahead->offset >= RECORD_HEADER_BYTES) {
        const uint8_t *at = frame->bytes + ahead->offset;
        const uint16_t length = get_u16(at + RECORD_LENGTH);
        if (length == 0) /* the frame's padding */
            return;
        ahead->offset += length;
        if (at[RECORD_KIND] != RECORD_CONSUMED)
            continue;
        struct party_hashes *hashes = &ahead->ring[ahead->seen++ % AHEAD_RING];
        party_hashes_of_record(at, hashes);
        party_hashes_prefetch(hashes, ahead->accounts);
        return;
    }
}

void accounts_ahead_begin(const struct accounts *accounts, const struct frame *frame, struct accounts_ahead *ret_ahead)
{
    ret_ahead->accounts = accounts;
    ret_ahead->frame = frame;
    ret_ahead->offset = FRAME_HEADER_BYTES;
    ret_ahead->seen = ret_ahead->told = 0;
    for (int i = 0; i < AHEAD_EVENTS; i++)
        ahead_see(ret_ahead);
    for (uint32_t i = 0; i < AHEAD_EVENTS / 2 && i < ret_ahead->seen; i++)
        party_hashes_prefetch_accounts(&ret_ahead->ring[i], accounts);
}

const struct party_hashes *accounts_ahead_next(struct accounts_ahead *ahead)
{
    assert(ahead->told < ahead->seen);
    ahead_see(ahead);
    const uint32_t halfway = ahead->told + AHEAD_EVENTS / 2;
    if (halfway < ahead->seen)
        party_hashes_prefetch_accounts(&ahead->ring[halfway % AHEAD_RING], ahead->accounts);
    return &ahead->ring[ahead->told++ % AHEAD_RING];
}

settle_status projection_add(struct projection *projection, const struct frame *frame, settle_error *error)
{
    struct projection *p = projection;
    struct record records[2], *consumed = &records[1], *record = &records[0];
    size_t offset = 0;
    struct accounts_ahead ahead;
    accounts_ahead_begin(&p->accounts, frame, &ahead);
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && frame_next_record(frame, &offset, record)) {
        switch (record->kind) {
        case RECORD_CONSUMED: /* it stays, and what follows goes into the other */
            (void)accounts_ahead_next(&ahead);
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
