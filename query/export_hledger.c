/*
 * export_hledger.c — the journal as plain-text accounting: one transaction an accepted event, in hledger's journal
 * format, which adds up to the same balance of every account.
 *
 * The date is the event's own (UTC), so dates need not rise; hledger's years have four digits or more, as many as an
 * event time can need. The code is the event id; what hledger has no place for are tags: seq, and ts in milliseconds.
 * An event without effect is a comment.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "query/export.h"

#define MS_PER_DAY UINT64_C(86400000)
#define DATE_BYTES 24
#define ACCOUNT_BYTES (PRINT_USER_BYTES + 24)
#define ACCOUNT_WIDTH 32
#define AMOUNT_WIDTH 28

/* Proleptic Gregorian, for every event time: Howard Hinnant's days_to_civil, in eras of 400 years from 1 March 0000. */
static const char *date_text(uint64_t ts_ms, char ret_text[DATE_BYTES])
{
    uint64_t days = ts_ms / MS_PER_DAY + 719468, era = days / 146097, of_era = days % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t from_march = (5 * of_year + 2) / 153, day = of_year - (153 * from_march + 2) / 5 + 1;
    uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    uint64_t year = year_of_era + era * 400 + (month <= 2);
    assert(ts_ms <= SETTLE_TS_MS_MAX && year <= 999999);
    snprintf(ret_text, DATE_BYTES, "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64, year % 1000000, month % 100, day % 100);
    return ret_text;
}

/* A commodity of letters stands as it is; one with a digit or a point would be read as part of the amount. */
static void put_commodity(struct out *out, const settle_asset *asset)
{
    bool is_plain = true;
    for (const char *c = asset->symbol; *c != '\0'; c++)
        is_plain = is_plain && *c >= 'A' && *c <= 'Z';
    out_text(out, is_plain ? "" : "\"");
    out_text(out, asset->symbol);
    out_text(out, is_plain ? "" : "\"");
}

static void hledger_begin(struct out *out, const struct journal_reader *reader)
{
    const uint8_t *id = journal_reader_id(reader);
    out_text(out, "; The journal ");
    for (size_t i = 0; i < 16; i++)
        out_format(out, "%02x", id[i]);
    out_text(out, " of libsettle: accepted events in the order of their sequence numbers, dated by their own times "
                  "(UTC).\n");
}

/* How its amounts are written. hledger wants the decimal mark there, also behind a whole number. */
static void hledger_asset(struct out *out, const settle_asset *asset)
{
    out_text(out, "\ncommodity 1000.");
    out_repeat(out, '0', asset->scale);
    out_text(out, " ");
    put_commodity(out, asset);
    out_text(out, "\n");
}

static void put_posting(struct out *out, const char *account, settle_int128 amount, const settle_asset *asset)
{
    char text[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(amount, asset->scale, text);
    out_format(out, "    %-*s  %*s ", ACCOUNT_WIDTH, account, AMOUNT_WIDTH, text);
    put_commodity(out, asset);
    out_text(out, "\n");
}

static void put_leg(struct out *out, const settle_leg *leg, const settle_asset *asset)
{
    char user[PRINT_USER_BYTES], account[ACCOUNT_BYTES];
    print_user(leg->user, user);
    if (leg->user > SETTLE_USER_MAX) { /* external and fees hold nothing */
        assert(leg->delta_held == 0);
        put_posting(out, user, leg->delta_available, asset);
        return;
    }
    if (leg->delta_available != 0) {
        snprintf(account, sizeof account, "users:%s:available", user);
        put_posting(out, account, leg->delta_available, asset);
    }
    if (leg->delta_held != 0) {
        snprintf(account, sizeof account, "users:%s:held", user);
        put_posting(out, account, leg->delta_held, asset);
    }
}

static const char *outcome_text(enum record_kind kind)
{
    switch (kind) {
    case RECORD_REJECTED: return "rejected";
    case RECORD_DUPLICATE: return "duplicate";
    case RECORD_CONFLICT: return "conflict";
    default: break;
    }
    assert(false); /* the reader has checked that a decision stands here */
    return "";
}

static void put_comment(struct out *out, const struct export_event *e)
{
    char date[DATE_BYTES];
    out_format(out, "\n; %s (%s) %s %s, seq %" PRIu64, date_text(e->event->ts_ms, date), e->event_id,
               settle_type_name(e->event->type), outcome_text(e->decided->kind), e->seq);
    if (e->decided->kind == RECORD_REJECTED)
        out_format(out, ": %s", settle_reason_name(e->decided->u.rejected));
    out_text(out, "\n");
}

static bool hledger_event(struct out *out, const struct registry *names, const struct export_event *e)
{
    char date[DATE_BYTES];
    if (e->decided->kind != RECORD_VALIDATED) {
        put_comment(out, e);
        return true;
    }
    out_format(out, "\n%s * (%s) %s  ; seq:%" PRIu64 ", ts:%" PRIu64 "\n", date_text(e->event->ts_ms, date),
               e->event_id, settle_type_name(e->event->type), e->seq, e->event->ts_ms);
    const struct record_validated *validated = &e->decided->u.validated;
    for (uint32_t i = 0; i < validated->leg_count; i++) {
        const settle_asset *asset = registry_asset_by_id(names, validated->legs[i].asset);
        if (asset == NULL)
            return false;
        put_leg(out, &validated->legs[i], asset);
    }
    return true;
}

const struct export_writer export_hledger = {false, hledger_begin, hledger_asset, hledger_event};
