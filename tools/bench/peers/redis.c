/*
 * redis.c — Redis with its append-only file synced on every write (appendfsync always). A group is two round trips:
 * one that reads all ids and balances it needs, one MULTI that writes everything. Commands of many arguments, not
 * many commands.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/peers/peer.h"

#define VALUE_BYTES 256

/* The arguments of one command; texts lie one behind the other. */
struct command {
    size_t count;
    const char **arguments;
    size_t *lengths;
    char *texts;
    size_t used;
};

#define ARGUMENTS_MAX (8 * (size_t)PEER_GROUP_MAX + 64)
#define TEXTS_BYTES (ARGUMENTS_MAX * VALUE_BYTES)

struct peer {
    redisContext *redis;
    struct command events, balances, read;
};

static bool fail(const struct peer *peer, const char *what)
{
    return peer_fail("redis", what, peer->redis->errstr);
}

static bool command_init(struct command *command)
{
    command->arguments = malloc(ARGUMENTS_MAX * sizeof *command->arguments);
    command->lengths = malloc(ARGUMENTS_MAX * sizeof *command->lengths);
    command->texts = malloc(TEXTS_BYTES);
    return command->arguments != NULL && command->lengths != NULL && command->texts != NULL;
}

static void command_deinit(struct command *command)
{
    free(command->arguments);
    free(command->lengths);
    free(command->texts);
}

static void add(struct command *command, const char *text, size_t bytes)
{
    char *copy = command->texts + command->used;
    memcpy(copy, text, bytes);
    command->used += bytes;
    command->arguments[command->count] = copy;
    command->lengths[command->count++] = bytes;
}

static void begin(struct command *command, const char *name)
{
    command->count = command->used = 0;
    add(command, name, strlen(name));
}

static bool send_command(struct peer *peer, const struct command *command)
{
    return redisAppendCommandArgv(peer->redis, (int)command->count, command->arguments, command->lengths) == REDIS_OK;
}

static redisReply *receive(struct peer *peer)
{
    void *reply = NULL;
    if (redisGetReply(peer->redis, &reply) != REDIS_OK) {
        fail(peer, "reply");
        return NULL;
    }
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR) {
        peer_fail("redis", "answer", ((redisReply *)reply)->str);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static bool receive_and_forget(struct peer *peer)
{
    redisReply *reply = receive(peer);
    freeReplyObject(reply);
    return reply != NULL;
}

static void redis_close(struct peer *peer)
{
    if (peer->redis != NULL)
        redisFree(peer->redis);
    command_deinit(&peer->events);
    command_deinit(&peer->balances);
    command_deinit(&peer->read);
    free(peer);
}

/* The connection is the path of the server's socket. */
static struct peer *redis_open(const char *directory, const char *connection)
{
    struct peer *peer = calloc(1, sizeof *peer);
    (void)directory;
    if (peer == NULL || !command_init(&peer->events) || !command_init(&peer->balances) || !command_init(&peer->read)) {
        free(peer); /* the rest of what there is goes with the process, which ends */
        return NULL;
    }
    peer->redis = redisConnectUnix(connection);
    if (peer->redis == NULL || peer->redis->err != 0) {
        fail(peer, connection);
        redis_close(peer);
        return NULL;
    }
    begin(&peer->read, "FLUSHALL");
    if (send_command(peer, &peer->read) && receive_and_forget(peer))
        return peer;
    redis_close(peer);
    return NULL;
}

static void account_field(struct command *command, const struct peer_account *account)
{
    char field[64];
    int bytes = snprintf(field, sizeof field, "%" PRId64 ":%" PRIu32, (int64_t)account->user, account->asset);
    add(command, field, (size_t)bytes);
}

static bool load_known(struct peer *peer, struct peer_group *group)
{
    redisReply *ids = receive(peer);
    if (ids == NULL)
        return false;
    for (size_t i = 0; i < group->row_count; i++) {
        struct peer_row *row = &group->rows[i];
        if (ids->element[i]->type == REDIS_REPLY_STRING)
            row->is_known =
                sscanf(ids->element[i]->str, "%" SCNu64 " %" SCNu64, &row->known_content, &row->known_seq) == 2;
    }
    freeReplyObject(ids);
    return true;
}

static bool load_balances(struct peer *peer, struct peer_group *group)
{
    redisReply *balances = receive(peer);
    if (balances == NULL)
        return false;
    for (size_t i = 0; i < group->account_count; i++) {
        struct peer_account *account = &group->accounts[i];
        if (balances->element[i]->type == REDIS_REPLY_STRING)
            (void)sscanf(balances->element[i]->str, "%" SCNd64 " %" SCNu64, &account->available, &account->version);
    }
    freeReplyObject(balances);
    return true;
}

static bool redis_load(struct peer *peer, struct peer_group *group)
{
    begin(&peer->read, "MGET");
    for (size_t i = 0; i < group->row_count; i++)
        add(&peer->read, group->rows[i].id, group->rows[i].id_bytes);
    if (!send_command(peer, &peer->read))
        return fail(peer, "MGET");
    begin(&peer->read, "HMGET");
    add(&peer->read, "balances", 8);
    for (size_t i = 0; i < group->account_count; i++)
        account_field(&peer->read, &group->accounts[i]);
    if (!send_command(peer, &peer->read))
        return fail(peer, "HMGET");
    begin(&peer->events, "MSET");
    return load_known(peer, group) && load_balances(peer, group) && peer_mark_repeats(group);
}

static bool redis_append(struct peer *peer, struct peer_row *row)
{
    const struct stream_event *e = &row->event;
    char key[PEER_ID_BYTES + 24], value[VALUE_BYTES];
    int key_bytes = row->is_known ? snprintf(key, sizeof key, "%s#%" PRIu64, row->id, row->seq)
                                  : snprintf(key, sizeof key, "%s", row->id);
    int bytes = row->is_known ? snprintf(value, sizeof value, "%" PRIu64 " %d %" PRIu64 " %" PRIu64, row->known_seq,
                                         row->outcome, row->consumed_us, row->decided_us)
                              : snprintf(value, sizeof value,
                                         "%" PRIu64 " %" PRIu64 " %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32
                                         " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %d %d %" PRIu64 " %" PRIu64,
                                         row->content, row->seq, e->type, e->ts_ms, e->user, e->seller, e->asset,
                                         e->amount, e->price_cents, e->buyer_fee, e->seller_fee, row->outcome,
                                         row->reason, row->consumed_us, row->decided_us);
    add(&peer->events, key, (size_t)key_bytes);
    add(&peer->events, value, (size_t)bytes);
    return true;
}

static bool redis_commit(struct peer *peer, struct peer_group *group)
{
    unsigned replies = 4; /* MULTI, two QUEUED, EXEC */
    struct command *balances = &peer->balances;
    char value[64];
    bool changed = false;
    begin(balances, "HSET");
    add(balances, "balances", 8);
    for (size_t i = 0; i < group->account_count; i++) {
        const struct peer_account *account = &group->accounts[i];
        if (!account->is_changed)
            continue;
        changed = true;
        account_field(balances, account);
        int bytes = snprintf(value, sizeof value, "%" PRId64 " %" PRIu64, account->available, account->version);
        add(balances, value, (size_t)bytes);
    }
    bool good = redisAppendCommand(peer->redis, "MULTI") == REDIS_OK && send_command(peer, &peer->events);
    if (changed)
        good = good && send_command(peer, balances);
    else
        replies--;
    if (group->persisted_from != 0) {
        replies++;
        good = good &&
               redisAppendCommand(peer->redis, "RPUSH persisted %llu-%llu@%llu",
                                  (unsigned long long)group->persisted_from, (unsigned long long)group->persisted_to,
                                  (unsigned long long)group->rows[0].consumed_us) == REDIS_OK;
    }
    good = good && redisAppendCommand(peer->redis, "EXEC") == REDIS_OK;
    if (!good)
        return fail(peer, "MULTI");
    for (unsigned i = 0; i < replies; i++)
        if (!receive_and_forget(peer))
            return false;
    return true;
}

static bool redis_balances(struct peer *peer, peer_tell tell, void *context)
{
    if (redisAppendCommand(peer->redis, "HGETALL balances") != REDIS_OK)
        return fail(peer, "HGETALL");
    redisReply *all = receive(peer);
    if (all == NULL)
        return false;
    for (size_t i = 0; i + 1 < all->elements; i += 2) {
        struct peer_account account = {.user = 0};
        int64_t user = 0;
        if (sscanf(all->element[i]->str, "%" SCNd64 ":%" SCNu32, &user, &account.asset) != 2 ||
            sscanf(all->element[i + 1]->str, "%" SCNd64 " %" SCNu64, &account.available, &account.version) != 2)
            return peer_fail("redis", "balance", all->element[i]->str);
        account.user = (uint64_t)user;
        tell(context, &account);
    }
    freeReplyObject(all);
    return true;
}

const struct peer_system peer_redis = {"redis",      redis_open,     redis_load, redis_append,
                                       redis_commit, redis_balances, redis_close};
