/* rig.c — an engine in a directory of its own. */
#include "tests/lib/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const settle_asset rig_assets[2] = {{RIG_BTC, 8, "BTC"}, {RIG_USDT, 6, "USDT"}};

static void must(struct rig *rig, settle_status status, const char *what)
{
    if (status == SETTLE_OK)
        return;
    fprintf(stderr, "%s: %s: %s (file '%s', offset %llu, seq %llu)\n%s", what, settle_status_name(status),
            rig->error.text, rig->error.file, (unsigned long long)rig->error.offset_bytes,
            (unsigned long long)rig->error.seq, rig->log);
    abort();
}

/* ---- Options ---- */

static void take_message(void *context, settle_log_level level, const char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct rig *rig = context;
    pthread_mutex_lock(&rig->log_mutex);
    size_t room = sizeof rig->log - rig->log_bytes;
    int length = snprintf(rig->log + rig->log_bytes, room, "%s: %s\n", names[level], message);
    if (length > 0 && (size_t)length < room)
        rig->log_bytes += (size_t)length;
    pthread_mutex_unlock(&rig->log_mutex);
}

static uint64_t tell_time(void *context)
{
    return ((struct rig *)context)->clock_now_us;
}

bool rig_logged(struct rig *rig, const char *text)
{
    pthread_mutex_lock(&rig->log_mutex);
    bool found = strstr(rig->log, text) != NULL;
    pthread_mutex_unlock(&rig->log_mutex);
    return found;
}

void rig_log_clear(struct rig *rig)
{
    pthread_mutex_lock(&rig->log_mutex);
    rig->log[0] = '\0';
    rig->log_bytes = 0;
    pthread_mutex_unlock(&rig->log_mutex);
}

void rig_use_clock(struct rig *rig, uint64_t now_us)
{
    rig->clock_now_us = now_us;
    rig->options.clock_us = tell_time;
}

/* ---- Life ---- */

void rig_make(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    tempdir_make(rig->base);
    tempdir_join(rig->data, rig->base, "data");
    pthread_mutex_init(&rig->log_mutex, NULL);
    settle_options_init(&rig->options);
    rig->options.segment_bytes = 16384;
    rig->options.log = take_message;
    rig->options.context = rig;
}

void rig_remove(struct rig *rig)
{
    (void)settle_close(rig->engine, NULL);
    pthread_mutex_destroy(&rig->log_mutex);
    tempdir_remove(rig->base);
}

settle_status rig_try_open(struct rig *rig)
{
    rig->error = (settle_error){.status = SETTLE_OK};
    return settle_open(rig->data, &rig->options, &rig->engine, &rig->error);
}

void rig_open(struct rig *rig)
{
    must(rig, rig_try_open(rig), "opening an engine");
    for (size_t i = 0; i < sizeof rig_assets / sizeof *rig_assets; i++)
        must(rig, settle_asset_declare(rig->engine, &rig_assets[i], &rig->error), "declaring an asset");
}

void rig_close(struct rig *rig)
{
    settle *engine = rig->engine;
    rig->engine = NULL;
    must(rig, settle_close(engine, &rig->error), "closing an engine");
}

void rig_reopen(struct rig *rig)
{
    rig_close(rig);
    must(rig, rig_try_open(rig), "opening an engine again");
}

/* ---- Events ---- */

settle_event rig_deposit(uint64_t user, uint32_t asset, settle_int128 amount, uint64_t ts_ms)
{
    return (settle_event){.type = SETTLE_DEPOSIT, .ts_ms = ts_ms, .u.transfer = {user, asset, amount}};
}

settle_event rig_withdrawal(uint64_t user, uint32_t asset, settle_int128 amount, uint64_t ts_ms)
{
    return (settle_event){.type = SETTLE_WITHDRAWAL, .ts_ms = ts_ms, .u.transfer = {user, asset, amount}};
}

settle_event rig_trade(const char *trade_id, uint64_t buyer, uint64_t seller, settle_int128 btc, settle_int128 usdt,
                       uint64_t ts_ms)
{
    settle_event event = {.type = SETTLE_TRADE, .ts_ms = ts_ms};
    event.u.trade = (settle_trade){.trade_id = {trade_id, strlen(trade_id)},
                                   .buyer = buyer,
                                   .seller = seller,
                                   .base = RIG_BTC,
                                   .quote = RIG_USDT,
                                   .quantity = btc,
                                   .quote_amount = usdt};
    return event;
}

settle_event rig_with_id(settle_event event, const char *id)
{
    event.event_id = (settle_text){id, strlen(id)};
    return event;
}

settle_result rig_submit(struct rig *rig, settle_event event)
{
    settle_result result = {.seq = 0};
    must(rig, settle_submit(rig->engine, &event, 1, &result, &rig->error), "submitting an event");
    return result;
}

settle_int128 rig_available(struct rig *rig, uint64_t user, uint32_t asset)
{
    settle_balance balance = {.available = 0};
    settle_status status = settle_balance_get(rig->engine, user, asset, &balance, &rig->error);
    if (status != SETTLE_E_NOT_FOUND)
        must(rig, status, "asking for a balance");
    return balance.available;
}

void rig_deposits(struct rig *rig, uint64_t ts_ms_from, size_t count)
{
    settle_event *events = calloc(count, sizeof *events);
    settle_result *results = calloc(count, sizeof *results);
    if (events == NULL || results == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        events[i] = rig_deposit(1, RIG_USDT, 1, ts_ms_from + i);
    must(rig, settle_submit(rig->engine, events, count, results, &rig->error), "submitting deposits");
    free(events);
    free(results);
}
