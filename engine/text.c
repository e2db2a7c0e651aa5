/*
 * text.c — the words behind the public numbers, and the defaults of the options.
 *
 * Pure: every text is static and is never NULL, so that a caller can print what a newer library answers.
 */
#include <settle/settle.h>

#include <assert.h>
#include <string.h>

const char *settle_status_name(settle_status status)
{
    switch (status) {
#define X(name, value, sentence)                                                                                       \
    case SETTLE_##name: return "SETTLE_" #name;
        SETTLE_STATUS_MAP(X)
#undef X
    }
    return "SETTLE_E_UNKNOWN";
}

const char *settle_status_sentence(settle_status status)
{
    switch (status) {
#define X(name, value, sentence)                                                                                       \
    case SETTLE_##name: return sentence;
        SETTLE_STATUS_MAP(X)
#undef X
    }
    return "a status this version does not know";
}

const char *settle_outcome_name(settle_outcome outcome)
{
    switch (outcome) {
    case SETTLE_ACCEPTED: return "accepted";
    case SETTLE_REJECTED: return "rejected";
    case SETTLE_DUPLICATE: return "duplicate";
    case SETTLE_CONFLICT: return "conflict";
    }
    return "unknown";
}

const char *settle_reason_name(settle_reason reason)
{
    switch (reason) {
#define X(name, value, word)                                                                                           \
    case SETTLE_REASON_##name: return word;
        SETTLE_REASON_MAP(X)
#undef X
    }
    return "unknown";
}

const char *settle_type_name(settle_event_type type)
{
    switch (type) {
    case SETTLE_DEPOSIT: return "deposit";
    case SETTLE_WITHDRAWAL: return "withdrawal";
    case SETTLE_TRADE: return "trade";
    }
    return "unknown";
}

const char *settle_version(void)
{
    return SETTLE_VERSION;
}

void settle_options_init_sized(settle_options *ret_options, size_t size_bytes)
{
    assert(ret_options != NULL && size_bytes >= sizeof ret_options->size_bytes);
    const settle_options options = {
        .size_bytes = size_bytes,
        .segment_bytes = (uint64_t)64 << 20,
        .commit_events_max = 8192,
        .commit_interval_us_max = 1000,
        .checkpoint_interval_ms = 1000,
        .checkpoint_events_max = 262144,
    };
    memset(ret_options, 0, size_bytes);
    memcpy(ret_options, &options, size_bytes < sizeof options ? size_bytes : sizeof options);
}
