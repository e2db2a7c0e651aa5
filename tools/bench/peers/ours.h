/* ours.h — libsettle among its peers: the same stream, the same balances written the same way. */
#ifndef TOOLS_BENCH_PEERS_OURS_H
#define TOOLS_BENCH_PEERS_OURS_H

#include "tools/bench/peers/peer.h"

enum ours {
    OURS_SUBMIT, /* groups that wait, one after the other, as the peers' do */
    OURS_ASYNC,  /* groups that do not wait */
    OURS_INGEST, /* NDJSON from a file, by the loop of `settlectl ingest` */
    OURS_LINES,  /* the same until its JSON lines are all out */
    OURS_COUNT,
};
extern const char *const ours_names[OURS_COUNT];

bool ours_run(enum ours how, const char *directory, enum stream_distribution distribution, uint64_t count, size_t group,
              struct peer_counts *ret_counts, const char *balances_path);

#endif
