/* header.cpp — the public header in C++17: it compiles without a warning, and what it declares links. */
#include <settle/settle.h>

#include <cstdio>
#include <cstring>

int main()
{
    settle_options options;
    settle_options_init(&options);
    settle_event deposit{};
    deposit.type = SETTLE_DEPOSIT;
    deposit.ts_ms = 1733856600000;
    deposit.u.transfer = {1001, 2, 1000500000};

    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event_id_format(&deposit, id);
    std::puts(id);
    return options.size_bytes == sizeof options && std::strcmp(settle_version(), SETTLE_VERSION) == 0 ? 0 : 1;
}
