/*
 * fuzz_directory.c — a data directory after edits of any kind (history.h): opened for reading, then for writing, asked,
 * written to, closed, read again.
 *
 * Either it is refused as damaged, and the journal stays as it was; or the balances are those behind some event at which a
 * frame ends, of one history, in the view, in the engine, and in the view behind it. While the store or the watermark is as it
 * was, nothing may be missing: they know how far the journal went (a torn frame that the watermark knew is cut, and that is
 * told). While the journal is as it was, it opens, whatever became of
 * the store. A known id is answered as a duplicate. Where checksums were made right over other content the journal is
 * another one: then all must agree, and nothing may end the process.
 */
#include "tests/fuzz/history.h"

#include "engine/engine.h"
#include "engine/view.h"
#include "tests/fuzz/kept_memory.h"
#include "tests/lib/tempdir.h"

static char directory[TEMPDIR_BYTES];
static settle_error error;

/* ---- Looking -------------------------------------------------------------------------------------------------------- */

static void check_refusal(settle_status status)
{
    if (getenv("FUZZ_TELL") != NULL || (status != SETTLE_E_CORRUPT && status != SETTLE_E_UNSUPPORTED))
        fprintf(stderr, "status %d: %s\n", (int)status, error.text);
    MUST(status == SETTLE_E_CORRUPT || status == SETTLE_E_UNSUPPORTED);
    MUST(memchr(error.text, 0, sizeof error.text) != NULL && strlen(error.text) > 5);
}

/* What a reader sees, or one beside the engine of this process; *ret_seq is the last event. */
static settle_status look(settle *engine, struct accounts *accounts, uint64_t *ret_seq)
{
    struct view view;
    memset(&view, 0, sizeof view);
    settle_status status = engine != NULL ? engine_view(engine, &view, &error) : view_open(directory, &view, &error);
    if (status == SETTLE_OK)
        status = view_accounts(&view, 0, 0, accounts, &error);
    if (status == SETTLE_OK)
        *ret_seq = view.end.next_seq - 1;
    view_close(&view);
    return status;
}

/* The history these balances are of; NULL: none. */
static const struct past *find_past(uint64_t seq, const struct accounts *accounts)
{
    if (past_is(&past_main, seq, accounts) && past_main.ends_frame[seq])
        return &past_main;
    if (past_is(&past_foreign, seq, accounts) && past_foreign.ends_frame[seq])
        return &past_foreign;
    return NULL;
}

/* ---- Writing -------------------------------------------------------------------------------------------------------- */

static uint64_t still_clock(void *context)
{
    (void)context;
    return UINT64_C(1733856600000000) + UINT64_C(2000000000);
}

/* A torn frame is cut also where the watermark tells of it; the engine then says that the disk has lost something. */
static bool loss_was_told;

static void take_log(void *context, settle_log_level level, const char *message)
{
    (void)context, (void)level;
    loss_was_told |= strstr(message, "THE DISK HAS LOST") != NULL;
}

static settle_status try_open(settle **ret_engine)
{
    settle_options options;
    settle_options_init(&options);
    options.clock_us = still_clock;
    options.reallocate = kept_reallocate;
    options.log = take_log;
    loss_was_told = false;
    options.checkpoint_interval_ms = 86400000;
    return settle_open(directory, &options, ret_engine, &error);
}

static void check_engine(settle *engine, const struct past *past, uint64_t seq)
{
    for (size_t i = 0; i < past->balance_counts[seq]; i++) {
        const settle_balance *expected = &past->balances[seq][i];
        settle_balance balance;
        MUST(settle_balance_get(engine, expected->user, expected->asset, &balance, &error) == SETTLE_OK);
        MUST(balance.available == expected->available && balance.held == expected->held &&
             balance.version == expected->version && balance.seq == expected->seq);
    }
}

/* A known event again, then a new one. Damage that shows only now (of the store; of a segment that opening need not read) may
 * stop the engine, and no more. */
static void submit_again(settle *engine, const struct past *past, uint64_t seq, uint8_t choice, bool is_whole)
{
    uint64_t again = seq > 0 ? 1 + choice % seq : 0;
    settle_event events[2];
    settle_result results[2];
    size_t count = 0;
    if (again > 0)
        events[count++] = past->events[again - 1].stream.event;
    events[count++] = (settle_event){.type = SETTLE_DEPOSIT, .ts_ms = 77, .u.transfer = {990001, 1, 1}};
    settle_status status = settle_submit(engine, events, count, results, &error);
    if (status != SETTLE_OK && !is_whole) {
        MUST(status == SETTLE_E_CORRUPT || status == SETTLE_E_LATCHED);
        return;
    }
    if (status != SETTLE_OK)
        fprintf(stderr, "status %d: %s\n", (int)status, error.text);
    MUST(status == SETTLE_OK);
    if (again > 0) {
        const settle_result *first = &past->events[again - 1].result;
        uint64_t first_seq = first->first_seq != 0 ? first->first_seq : again;
        settle_outcome expected = first->outcome == SETTLE_CONFLICT ? SETTLE_CONFLICT : SETTLE_DUPLICATE;
        MUST(results[0].outcome == expected && results[0].first_seq == first_seq && results[0].seq == seq + 1);
    }
    const settle_result *last = &results[count - 1];
    bool lost_assets = seq == 0 && last->reason == SETTLE_REASON_UNKNOWN_ASSET; /* cut before their frame, too */
    MUST(last->seq == seq + count && (last->outcome == SETTLE_ACCEPTED || lost_assets));
}

/* ---- One directory -------------------------------------------------------------------------------------------------- */

struct seen {
    const struct image *image;
    bool is_forged, journal_is_whole, store_is_whole, nothing_may_miss;
    uint64_t all_events; /* that must be there; 0: a prefix is right */
};

static const struct past *check_state(const struct seen *seen, const struct accounts *accounts, uint64_t seq,
                                      bool by_writer)
{
    const struct past *past = find_past(seq, accounts);
    MUST(seen->is_forged || past != NULL);
    if (!seen->is_forged && (seen->nothing_may_miss && by_writer && !loss_was_told))
        MUST(past == &past_main && seq == past_main.count);
    MUST(seen->all_events == 0 || seq == seen->all_events);
    return past;
}

static void check_directory(const struct seen *seen, uint8_t choice)
{
    struct accounts accounts;
    uint64_t seq = 0;
    MUST(accounts_init(&accounts, &mem_libc, 64) == SETTLE_OK);
    settle_status viewed = look(NULL, &accounts, &seq);
    if (viewed == SETTLE_OK)
        (void)check_state(seen, &accounts, seq, false);
    else if (viewed != SETTLE_E_NOT_FOUND) /* no journal at all */
        check_refusal(viewed);
    settle *engine = NULL;
    settle_status status = try_open(&engine);
    if (status != SETTLE_OK) {
        check_refusal(status);
        MUST(!seen->journal_is_whole);
        MUST(image_journal_is(seen->image, directory));
        accounts_deinit(&accounts);
        return;
    }
    accounts_clear(&accounts);
    status = look(engine, &accounts, &seq);
    MUST(status == SETTLE_OK || (!seen->store_is_whole && status == SETTLE_E_CORRUPT));
    const struct past *past = status == SETTLE_OK ? check_state(seen, &accounts, seq, true) : NULL;
    if (past != NULL) {
        check_engine(engine, past, seq);
        submit_again(engine, past, seq, choice, seen->store_is_whole && seen->journal_is_whole);
    }
    status = settle_close(engine, &error);
    MUST(status == SETTLE_OK || !seen->store_is_whole || !seen->journal_is_whole);
    accounts_deinit(&accounts);
}

static void remove_directory(void)
{
    tempdir_remove(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    history_make();
    tempdir_make(directory);
    atexit(remove_directory);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct image image;
    struct input input = {data, data + bytes};
    struct edits edits;
    uint8_t base = input_u8(&input) % BASES_TO_EDIT, choice = input_u8(&input);
    image_reset(&image, base);
    edits_apply(&image, &input, &edits);
    image_store(&image, directory);
    bool watermark_is_whole = !image_touches(&image, "journal/watermark"),
         store_is_whole = !image_touches(&image, "store/"), journal_is_whole = !image_touches(&image, "journal/");
    struct seen seen = {
        .image = &image,
        .is_forged = edits.is_forged,
        .journal_is_whole = journal_is_whole,
        .store_is_whole = store_is_whole,
        .all_events = edits.is_one_flip || journal_is_whole ? base_events[base] : 0,
        .nothing_may_miss =
            base != OLD && (journal_is_whole || watermark_is_whole || (base == CLOSED && store_is_whole)),
    };
    check_directory(&seen, choice);
    return 0;
}
