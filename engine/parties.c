/* parties.c — from an event to the assets and balances that its rules look at. Pure but for the cache. */
#include "engine/parties.h"

#include "journal/base/bytes.h"
#include "journal/record.h"

enum { HASH_USER = 0, HASH_BUYER_BASE = 0, HASH_BUYER_QUOTE, HASH_SELLER_BASE, HASH_SELLER_QUOTE, HASHES_OF_TRADE };

static void hash_transfer(uint64_t user, uint32_t asset, struct party_hashes *ret_hashes)
{
    ret_hashes->hashes[HASH_USER] = accounts_hash(user, asset);
    ret_hashes->count = 1;
}

static void hash_trade(uint64_t buyer, uint64_t seller, uint32_t base, uint32_t quote, struct party_hashes *ret_hashes)
{
    uint64_t *hashes = ret_hashes->hashes;
    hashes[HASH_BUYER_BASE] = accounts_hash(buyer, base);
    hashes[HASH_BUYER_QUOTE] = accounts_hash(buyer, quote);
    hashes[HASH_SELLER_BASE] = accounts_hash(seller, base);
    hashes[HASH_SELLER_QUOTE] = accounts_hash(seller, quote);
    ret_hashes->count = HASHES_OF_TRADE;
}

void party_hashes_of(const settle_event *event, struct party_hashes *ret_hashes)
{
    const settle_trade *trade = &event->u.trade;
    if (event->type == SETTLE_TRADE)
        hash_trade(trade->buyer, trade->seller, trade->base, trade->quote, ret_hashes);
    else
        hash_transfer(event->u.transfer.user, event->u.transfer.asset, ret_hashes);
}

void party_hashes_of_record(const uint8_t *at, struct party_hashes *ret_hashes)
{
    if (at[CONSUMED_TYPE] == SETTLE_TRADE)
        hash_trade(get_u64(at + CONSUMED_BUYER), get_u64(at + CONSUMED_SELLER), get_u32(at + CONSUMED_BASE),
                   get_u32(at + CONSUMED_QUOTE), ret_hashes);
    else
        hash_transfer(get_u64(at + CONSUMED_USER), get_u32(at + CONSUMED_ASSET), ret_hashes);
}

void party_hashes_prefetch(const struct party_hashes *hashes, const struct accounts *accounts)
{
    for (uint32_t i = 0; i < hashes->count; i++)
        accounts_prefetch(accounts, hashes->hashes[i]);
}

void party_hashes_prefetch_accounts(const struct party_hashes *hashes, const struct accounts *accounts)
{
    for (uint32_t i = 0; i < hashes->count; i++)
        accounts_prefetch_account(accounts, hashes->hashes[i]);
}

void parties_find(const struct registry *names, const struct accounts *accounts, const settle_event *event,
                  const struct party_hashes *hashes, struct parties *ret_parties)
{
    const uint64_t *hash = hashes->hashes;
    if (event->type != SETTLE_TRADE) {
        const settle_transfer *transfer = &event->u.transfer;
        ret_parties->asset = registry_asset_by_id(names, transfer->asset);
        ret_parties->user = accounts_find_hashed(accounts, hash[HASH_USER], transfer->user, transfer->asset);
        ret_parties->external = accounts_find(accounts, SETTLE_USER_EXTERNAL, transfer->asset);
        return;
    }
    const settle_trade *trade = &event->u.trade;
    const uint32_t base = trade->base, quote = trade->quote;
    ret_parties->base = registry_asset_by_id(names, base);
    ret_parties->quote = registry_asset_by_id(names, quote);
    ret_parties->buyer_base = accounts_find_hashed(accounts, hash[HASH_BUYER_BASE], trade->buyer, base);
    ret_parties->buyer_quote = accounts_find_hashed(accounts, hash[HASH_BUYER_QUOTE], trade->buyer, quote);
    ret_parties->seller_base = accounts_find_hashed(accounts, hash[HASH_SELLER_BASE], trade->seller, base);
    ret_parties->seller_quote = accounts_find_hashed(accounts, hash[HASH_SELLER_QUOTE], trade->seller, quote);
    ret_parties->fees_base = accounts_find(accounts, SETTLE_USER_FEES, base);
    ret_parties->fees_quote = accounts_find(accounts, SETTLE_USER_FEES, quote);
}
