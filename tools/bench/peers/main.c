/*
 * main.c — bench_peer SYSTEM DIRECTORY EVENTS GROUP DISTRIBUTION BALANCES [CONNECTION]
 *
 * Gives one system the first EVENTS of the stream in groups and prints how long that took as one JSON object; writes
 * what every balance is then to the file BALANCES. run-peers calls it again and again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/peers/ours.h"
#include "tools/bench/peers/peer.h"

static const struct peer_system *const systems[] = {&peer_sqlite, &peer_postgres, &peer_redis};

struct request {
    const char *system, *directory, *balances, *connection;
    uint64_t count;
    size_t group;
    enum stream_distribution distribution;
};

static bool parse(int argc, char **argv, struct request *request)
{
    if (argc < 7 || argc > 8)
        return false;
    *request = (struct request){
        .system = argv[1],
        .directory = argv[2],
        .count = strtoull(argv[3], NULL, 10),
        .group = (size_t)strtoull(argv[4], NULL, 10),
        .distribution = strcmp(argv[5], "zipf") == 0 ? STREAM_ZIPF : STREAM_UNIFORM,
        .balances = argv[6],
        .connection = argc > 7 ? argv[7] : "",
    };
    return request->count >= 1 && request->group >= 1 && request->group <= PEER_GROUP_MAX;
}

static bool run_peer(const struct peer_system *system, const struct request *request, struct peer_counts *counts)
{
    struct stream stream;
    struct peer *peer = system->open(request->directory, request->connection);
    if (peer == NULL)
        return false;
    bool good = stream_init(&stream, STREAM_SEED, request->distribution);
    if (good) {
        good = peer_run(system, peer, &stream, request->count, request->group, counts);
        stream_deinit(&stream);
    }
    good = good && peer_balances_write(system, peer, request->balances);
    system->close(peer);
    return good;
}

static bool run(const struct request *request, struct peer_counts *counts)
{
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        if (strcmp(systems[i]->name, request->system) == 0)
            return run_peer(systems[i], request, counts);
    for (enum ours how = 0; how < OURS_COUNT; how++)
        if (strcmp(ours_names[how], request->system) == 0)
            return ours_run(how, request->directory, request->distribution, request->count, request->group, counts,
                            request->balances);
    return peer_fail("bench_peer", "no such system", request->system);
}

int main(int argc, char **argv)
{
    struct request request;
    struct peer_counts counts = {0};
    if (!parse(argc, argv, &request)) {
        fprintf(stderr, "usage: bench_peer SYSTEM DIRECTORY EVENTS GROUP DISTRIBUTION BALANCES [CONNECTION]\n");
        return 2;
    }
    if (!run(&request, &counts))
        return 1;
    printf("{\"system\":\"%s\",\"group\":%zu,\"distribution\":\"%s\",\"events\":%" PRIu64 ",\"accepted\":%" PRIu64
           ",\"rejected\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"conflict\":%" PRIu64
           ",\"seconds\":%.6f,\"events_per_second\":%.0f}\n",
           request.system, request.group, stream_distribution_name(request.distribution), request.count,
           counts.accepted, counts.rejected, counts.duplicate, counts.conflict, (double)counts.elapsed_ns / 1e9,
           (double)request.count * 1e9 / (double)counts.elapsed_ns);
    return 0;
}
