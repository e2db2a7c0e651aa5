/* Tests of engine/registry.h: declared assets and sources by name. */
#include "engine/registry.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(registry);

static settle_text text_of(const char *text)
{
    return (settle_text){text, strlen(text)};
}

/* ---- Assets ---- */

Test(registry, assets_stand_sorted_by_id_and_are_found_by_both_names)
{
    static const settle_asset assets[] = {{7, 2, "EUR"}, {1, 8, "BTC"}, {UINT32_MAX, 0, "JPY"}, {2, 6, "USDT"}};
    struct registry registry = {.mem = &mem_libc};
    for (size_t i = 0; i < 4; i++) {
        EXPECT_OK(registry_asset_add(&registry, &assets[i], &test_error));
        EXPECT_OK(registry_asset_add(&registry, &assets[i], &test_error)); /* again: no change */
    }
    cr_assert(registry.asset_count == 4);
    for (size_t i = 1; i < 4; i++)
        cr_assert(registry.assets[i - 1].id < registry.assets[i].id);
    for (size_t i = 0; i < 4; i++) {
        const settle_asset *by_id = registry_asset_by_id(&registry, assets[i].id);
        cr_assert(by_id != NULL && strcmp(by_id->symbol, assets[i].symbol) == 0 && by_id->scale == assets[i].scale);
        cr_assert(registry_asset_by_symbol(&registry, text_of(assets[i].symbol)) == by_id);
    }
    registry_deinit(&registry);
}

Test(registry, what_is_not_declared_is_not_found)
{
    struct registry registry = {.mem = &mem_libc};
    cr_assert(registry_asset_by_id(&registry, 1) == NULL);
    cr_assert(registry_asset_by_symbol(&registry, text_of("BTC")) == NULL);
    EXPECT_OK(registry_asset_add(&registry, &(settle_asset){5, 8, "BTC"}, &test_error));
    cr_assert(registry_asset_by_id(&registry, 4) == NULL && registry_asset_by_id(&registry, 6) == NULL);
    cr_assert(registry_asset_by_symbol(&registry, text_of("BT")) == NULL);
    cr_assert(registry_asset_by_symbol(&registry, text_of("BTCX")) == NULL);
    cr_assert(registry_asset_by_symbol(&registry, text_of("btc")) == NULL);
    cr_assert(registry_asset_by_symbol(&registry, (settle_text){"BTC\0", 4}) == NULL);
    registry_deinit(&registry);
}

Test(registry, an_asset_with_other_values_is_a_conflict_that_names_both)
{
    struct registry registry = {.mem = &mem_libc};
    EXPECT_OK(registry_asset_add(&registry, &(settle_asset){5, 8, "BTC"}, &test_error));
    EXPECT_OK(registry_asset_add(&registry, &(settle_asset){6, 6, "USDT"}, &test_error));
    static const settle_asset others[] = {{5, 7, "BTC"}, {5, 8, "BTX"}, {9, 8, "BTC"}, {5, 6, "USDT"}, {6, 8, "BTC"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        EXPECT_STATUS(registry_asset_add(&registry, &others[i], &test_error), SETTLE_E_CONFLICT);
        cr_assert(strstr(test_error.text, others[i].symbol) != NULL &&
                  strstr(test_error.text, "declared already") != NULL);
    }
    cr_assert(registry.asset_count == 2);
    registry_deinit(&registry);
}

Test(registry, the_form_of_an_asset_is_checked)
{
    cr_assert(asset_form_fault(&(settle_asset){1, 18, "ABCDEFGHIJKLMNO"}) == NULL);
    cr_assert(asset_form_fault(&(settle_asset){UINT32_MAX, 0, "A.0"}) == NULL);
    static const settle_asset wrong[] = {{0, 0, "A"},   {1, 19, "A"}, {1, 0, ""},  {1, 0, "a"}, {1, 0, "A-B"},
                                         {1, 0, "A B"}, {1, 0, "@"},  {1, 0, "["}, {1, 0, "/"}, {1, 0, ":"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(asset_form_fault(&wrong[i]) != NULL, "asset %zu", i);
    settle_asset endless = {1, 0, ""};
    memset(endless.symbol, 'A', sizeof endless.symbol);
    cr_assert(asset_form_fault(&endless) != NULL);
}

/* ---- Sources ---- */

Test(registry, sources_are_numbered_in_the_order_of_appearance)
{
    struct registry registry = {.mem = &mem_libc};
    char name[8] = "first";
    cr_assert(registry_source_number(&registry, text_of(name)) == 1);
    strcpy(name, "xxxxx"); /* the name is copied */
    cr_assert(registry_source_number(&registry, text_of("second")) == 2);
    cr_assert(registry_source_number(&registry, text_of("firs")) == 3);
    cr_assert(registry_source_number(&registry, text_of("first")) == 1);
    cr_assert(registry_source_number(&registry, text_of("second")) == 2);
    cr_assert(registry.source_count == 3);
    cr_assert(registry.sources[1].offset_bytes == 0 && registry.sources[1].line == 0);
    cr_assert(registry.sources[1].name_bytes == 6 && memcmp(registry.sources[1].name, "second", 6) == 0);
    registry_deinit(&registry);
}

/* ---- Memory ---- */

static void *reallocate(void *context, void *memory, size_t bytes)
{
    int *allocations = context;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    return (*allocations)-- > 0 ? realloc(memory, bytes) : NULL;
}

Test(registry, without_memory_nothing_is_added)
{
    int allocations = 0;
    const struct mem mem = {reallocate, &allocations};
    struct registry registry = {.mem = &mem};
    EXPECT_STATUS(registry_asset_add(&registry, &(settle_asset){5, 8, "BTC"}, &test_error), SETTLE_E_NO_MEMORY);
    cr_assert(registry.asset_count == 0 && registry_asset_by_id(&registry, 5) == NULL);
    for (int i = 0; i < 2; i++) { /* the array, the name */
        allocations = i;
        cr_assert(registry_source_number(&registry, text_of("a")) == 0);
        cr_assert(registry.source_count == 0);
    }
    allocations = 3;
    EXPECT_OK(registry_asset_add(&registry, &(settle_asset){5, 8, "BTC"}, &test_error));
    cr_assert(registry_source_number(&registry, text_of("a")) == 1);
    allocations = 0;
    EXPECT_STATUS(registry_asset_add(&registry, &(settle_asset){6, 8, "ETH"}, &test_error), SETTLE_E_NO_MEMORY);
    cr_assert(registry_source_number(&registry, text_of("b")) == 0);
    cr_assert(registry.asset_count == 1 && registry.source_count == 1 &&
              registry_asset_by_id(&registry, 5)->scale == 8);
    cr_assert(registry_source_number(&registry, text_of("a")) == 1);
    registry_deinit(&registry);
    registry_deinit(&registry); /* a zeroed one, too */
}
