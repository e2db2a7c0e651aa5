/*
 * embed.c — a settlement engine inside a program.
 *
 *     cc embed.c $(pkg-config --cflags --libs libsettle) -o embed
 *     ./embed data
 *
 * Declares two assets; submits two deposits, a trade and a withdrawal as one batch; prints what became of each, all
 * balances, and the life of the trade. Run it again on the same directory: the same event ids arrive as duplicates, and
 * no balance moves.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <settle/settle.h>

enum { ALICE = 1001, BOB = 1002, EVENT_COUNT = 4 };

static const settle_asset BTC = {.id = 1, .scale = 8, .symbol = "BTC"};
static const settle_asset USDT = {.id = 2, .scale = 6, .symbol = "USDT"};

static settle_text text_of(const char *string)
{
    return (settle_text){string, strlen(string)};
}

/* "1000.50" in minor units of the asset. The texts of this program are constants: a wrong one is a bug. */
static settle_int128 amount_of(const settle_asset *asset, const char *string)
{
    settle_int128 amount;
    if (settle_amount_parse(text_of(string), asset->scale, &amount) != SETTLE_OK)
        abort();
    return amount;
}

/* Declaring an asset again with the same values changes nothing, so it is done at every start. */
static settle_status declare_assets(settle *engine, settle_error *error)
{
    settle_status status = settle_asset_declare(engine, &BTC, error);
    return status == SETTLE_OK ? settle_asset_declare(engine, &USDT, error) : status;
}

/* Events without an event_id get one from their content: "deposit_1001_2_1733856600000", "trade_T-1". */
static void make_events(settle_event ret_events[EVENT_COUNT])
{
    ret_events[0] = (settle_event){
        .type = SETTLE_DEPOSIT,
        .ts_ms = 1733856600000,
        .u.transfer = {.user = ALICE, .asset = USDT.id, .amount = amount_of(&USDT, "1000.50")},
    };
    ret_events[1] = (settle_event){
        .type = SETTLE_DEPOSIT,
        .ts_ms = 1733856601000,
        .u.transfer = {.user = BOB, .asset = BTC.id, .amount = amount_of(&BTC, "0.5")},
    };
    /* Alice buys 0.01 BTC for 900.005 USDT; each side pays its fee out of what it receives. */
    ret_events[2] = (settle_event){
        .type = SETTLE_TRADE,
        .ts_ms = 1733856602000,
        .u.trade =
            {
                .trade_id = text_of("T-1"),
                .buyer = ALICE,
                .seller = BOB,
                .base = BTC.id,
                .quote = USDT.id,
                .quantity = amount_of(&BTC, "0.01"),
                .quote_amount = amount_of(&USDT, "900.005"),
                .buyer_fee = amount_of(&BTC, "0.00001"),
                .seller_fee = amount_of(&USDT, "0.90"),
            },
    };
    ret_events[3] = (settle_event){
        .type = SETTLE_WITHDRAWAL,
        .ts_ms = 1733856603000,
        .u.transfer = {.user = ALICE, .asset = USDT.id, .amount = amount_of(&USDT, "50.25")},
    };
}

/* settle_submit() returns when all events of the batch are on stable storage. */
static settle_status submit_events(settle *engine, settle_error *error)
{
    settle_event events[EVENT_COUNT];
    settle_result results[EVENT_COUNT];
    make_events(events);

    settle_status status = settle_submit(engine, events, EVENT_COUNT, results, error);
    if (status != SETTLE_OK)
        return status;

    for (int i = 0; i < EVENT_COUNT; i++) {
        char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
        settle_event_id_format(&events[i], id);
        printf("seq %" PRIu64 " %s %s", results[i].seq, id, settle_outcome_name(results[i].outcome));
        if (results[i].outcome == SETTLE_REJECTED)
            printf(": %s", settle_reason_name(results[i].reason));
        putchar('\n');
    }
    return SETTLE_OK;
}

static settle_status print_balance(settle *engine, const char *name, uint64_t user, const settle_asset *asset,
                                   settle_error *error)
{
    settle_balance balance;
    settle_status status = settle_balance_get(engine, user, asset->id, &balance, error);
    if (status != SETTLE_OK)
        return status;

    char available[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(balance.available, asset->scale, available);
    printf("%s %s %s version %" PRIu64 "\n", name, asset->symbol, available, balance.version);
    return SETTLE_OK;
}

/* The external accounts are where money enters and leaves: with them and the fees every asset adds up to zero. */
static settle_status print_balances(settle *engine, settle_error *error)
{
    static const struct {
        const char *name;
        uint64_t user;
    } accounts[] = {{"alice", ALICE}, {"bob", BOB}, {"external", SETTLE_USER_EXTERNAL}, {"fees", SETTLE_USER_FEES}};

    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0] && status == SETTLE_OK; i++) {
        status = print_balance(engine, accounts[i].name, accounts[i].user, &BTC, error);
        if (status == SETTLE_OK)
            status = print_balance(engine, accounts[i].name, accounts[i].user, &USDT, error);
    }
    return status;
}

static void print_step(const char *step, uint64_t time_us)
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm utc;
    char text[32];
    if (!gmtime_r(&seconds, &utc) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        abort();
    printf("  %-9s %s.%06uZ\n", step, text, (unsigned)(time_us % 1000000));
}

static settle_status print_lifecycle(settle *engine, const char *event_id, settle_error *error)
{
    settle_lifecycle *life;
    settle_status status = settle_lifecycle_get(engine, text_of(event_id), &life, error);
    if (status != SETTLE_OK)
        return status;

    printf("%s: %s at seq %" PRIu64 ", %zu legs, arrived again %zu times\n", life->event_id,
           settle_outcome_name(life->first.result.outcome), life->first.result.seq, life->leg_count,
           life->repeat_count);
    print_step("CONSUMED", life->first.consumed_us);
    print_step("VALIDATED", life->first.decided_us);
    if (life->first.persisted_us != 0)
        print_step("PERSISTED", life->first.persisted_us);
    settle_lifecycle_free(life);
    return SETTLE_OK;
}

static settle_status run(settle *engine, settle_error *error)
{
    settle_status status = declare_assets(engine, error);
    if (status == SETTLE_OK)
        status = submit_events(engine, error);
    if (status == SETTLE_OK)
        status = settle_flush(engine, error); /* for the PERSISTED step below; the events are safe already */
    if (status == SETTLE_OK)
        status = print_balances(engine, error);
    if (status == SETTLE_OK)
        status = print_lifecycle(engine, "trade_T-1", error);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }

    settle *engine = NULL;
    settle_error error;
    settle_status status = settle_open(argv[1], NULL, &engine, &error);
    if (status == SETTLE_OK)
        status = run(engine, &error);

    /* Closing reports what could not be written; an earlier failure is the better message. */
    settle_error close_error;
    settle_status closed = settle_close(engine, &close_error);
    if (status == SETTLE_OK && closed != SETTLE_OK) {
        status = closed;
        error = close_error;
    }
    if (status == SETTLE_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", settle_status_name(status), error.text);
    return 1;
}
