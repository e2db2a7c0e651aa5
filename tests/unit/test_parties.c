/* Tests of engine/parties.h: who takes part in an event, by hashes that were computed before. */
#include "engine/parties.h"

#include "tests/lib/expect.h"

SETTLE_SUITE(parties);

enum { BUYER = 1001, SELLER = 1002, BTC = 1, USDT = 2 };

static settle_event trade_of(uint64_t buyer, uint64_t seller)
{
    return (settle_event){.type = SETTLE_TRADE,
                          .u.trade = {.buyer = buyer, .seller = seller, .base = BTC, .quote = USDT, .quantity = 1}};
}

static void find(const struct registry *names, const struct accounts *accounts, const settle_event *event,
                 struct parties *ret_parties)
{
    struct party_hashes hashes;
    party_hashes_of(event, &hashes);
    cr_assert_eq(hashes.count, event->type == SETTLE_TRADE ? 4 : 1);
    party_hashes_prefetch(&hashes, accounts);
    party_hashes_prefetch_accounts(&hashes, accounts);
    parties_find(names, accounts, event, &hashes, ret_parties);
}

static void expect_account(const struct account *account, uint64_t user, uint32_t asset)
{
    cr_assert_not_null(account);
    cr_assert(account->user == user && account->asset == asset);
}

Test(parties, of_nobody_known_there_is_none)
{
    struct registry names = {.mem = &mem_libc};
    struct accounts accounts;
    struct parties parties;
    const settle_event deposit = {.type = SETTLE_DEPOSIT, .u.transfer = {BUYER, USDT, 5}};
    const settle_event trade = trade_of(BUYER, SELLER);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    find(&names, &accounts, &deposit, &parties);
    cr_assert(parties.asset == NULL && parties.user == NULL && parties.external == NULL);
    find(&names, &accounts, &trade, &parties);
    cr_assert(parties.base == NULL && parties.quote == NULL);
    cr_assert(parties.buyer_base == NULL && parties.buyer_quote == NULL);
    cr_assert(parties.seller_base == NULL && parties.seller_quote == NULL);
    cr_assert(parties.fees_base == NULL && parties.fees_quote == NULL);
    accounts_deinit(&accounts);
}

Test(parties, each_has_its_own_place)
{
    static const uint64_t users[] = {BUYER, SELLER, SETTLE_USER_EXTERNAL, SETTLE_USER_FEES};
    static const settle_asset assets[] = {{BTC, 8, "BTC"}, {USDT, 6, "USDT"}};
    struct registry names = {.mem = &mem_libc};
    struct accounts accounts;
    struct parties parties;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    for (int i = 0; i < 2; i++)
        EXPECT_OK(registry_asset_add(&names, &assets[i], &test_error));
    for (int user = 0; user < 4; user++)
        for (uint32_t asset = BTC; asset <= USDT; asset++)
            accounts_upsert(&accounts, users[user], asset);

    const settle_event withdrawal = {.type = SETTLE_WITHDRAWAL, .u.transfer = {SELLER, USDT, 5}};
    find(&names, &accounts, &withdrawal, &parties);
    cr_assert_eq(parties.asset->id, USDT);
    expect_account(parties.user, SELLER, USDT);
    expect_account(parties.external, SETTLE_USER_EXTERNAL, USDT);

    const settle_event trade = trade_of(BUYER, SELLER);
    find(&names, &accounts, &trade, &parties);
    cr_assert(parties.base->id == BTC && parties.quote->id == USDT);
    expect_account(parties.buyer_base, BUYER, BTC);
    expect_account(parties.buyer_quote, BUYER, USDT);
    expect_account(parties.seller_base, SELLER, BTC);
    expect_account(parties.seller_quote, SELLER, USDT);
    expect_account(parties.fees_base, SETTLE_USER_FEES, BTC);
    expect_account(parties.fees_quote, SETTLE_USER_FEES, USDT);
    registry_deinit(&names);
    accounts_deinit(&accounts);
}
