/*
 * consumer.cpp — libsettle from C++17: an engine that closes itself, an exception that carries the error, submitting and reading.
 * Run twice on one directory by consumers.sh: the second time the deposit is a duplicate, and no balance moves.
 */
#include <settle/settle.h>

#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct failure : std::runtime_error {
    explicit failure(const settle_error &error)
        : std::runtime_error(std::string(settle_status_name(error.status)) + ": " + error.text)
    {
    }
};

settle_text text(std::string_view view)
{
    return {view.data(), view.size()};
}

class engine {
  public:
    explicit engine(const std::string &directory)
    {
        settle_options options;
        settle_options_init(&options);
        options.log = [](void *, settle_log_level level, const char *message) {
            if (level >= SETTLE_LOG_WARNING)
                std::fprintf(stderr, "%s\n", message);
        };
        settle *opened = nullptr;
        settle_error error;
        if (settle_open(directory.c_str(), &options, &opened, &error) != SETTLE_OK)
            throw failure(error);
        handle_.reset(opened);
    }

    void declare(std::uint32_t id, std::uint8_t scale, const char *symbol)
    {
        settle_asset asset{};
        settle_error error;
        asset.id = id;
        asset.scale = scale;
        std::strncpy(asset.symbol, symbol, SETTLE_SYMBOL_BYTES_MAX);
        if (settle_asset_declare(handle_.get(), &asset, &error) != SETTLE_OK)
            throw failure(error);
    }

    std::vector<settle_result> submit(const std::vector<settle_event> &events)
    {
        std::vector<settle_result> results(events.size());
        settle_error error;
        if (settle_submit(handle_.get(), events.data(), events.size(), results.data(), &error) != SETTLE_OK)
            throw failure(error);
        return results;
    }

    /* A future that is ready when the events are on stable storage. */
    std::future<settle_result> submit_later(const settle_event &event)
    {
        struct pending {
            settle_result result;
            std::promise<settle_result> promise;
        };
        auto waiting = std::make_unique<pending>();
        auto future = waiting->promise.get_future();
        settle_error error;
        const auto done = [](void *context, settle_status status, const settle_result *results, std::size_t) {
            std::unique_ptr<pending> mine(static_cast<pending *>(context));
            if (status == SETTLE_OK)
                mine->promise.set_value(results[0]);
            else
                mine->promise.set_exception(std::make_exception_ptr(std::runtime_error(settle_status_name(status))));
        };
        if (settle_submit_async(handle_.get(), &event, 1, &waiting->result, done, waiting.get(), &error) != SETTLE_OK)
            throw failure(error);
        waiting.release(); // done() has it now
        return future;
    }

    std::string available(std::uint64_t user, const settle_asset &asset)
    {
        settle_balance balance;
        settle_error error;
        if (settle_balance_get(handle_.get(), user, asset.id, &balance, &error) != SETTLE_OK)
            throw failure(error);
        char digits[SETTLE_AMOUNT_TEXT_BYTES];
        return std::string(digits, settle_amount_format(balance.available, asset.scale, digits));
    }

    settle_asset asset(std::string_view symbol)
    {
        settle_asset asset;
        if (settle_asset_by_symbol(handle_.get(), text(symbol), &asset) != SETTLE_OK)
            throw std::runtime_error("no such asset");
        return asset;
    }

  private:
    struct closer {
        void operator()(settle *engine) const
        {
            settle_close(engine, nullptr);
        }
    };
    std::unique_ptr<settle, closer> handle_;
};

settle_event deposit(std::uint64_t user, const settle_asset &asset, std::string_view amount, std::uint64_t ts_ms)
{
    settle_event event{};
    event.type = SETTLE_DEPOSIT;
    event.ts_ms = ts_ms;
    event.u.transfer.user = user;
    event.u.transfer.asset = asset.id;
    if (settle_amount_parse(text(amount), asset.scale, &event.u.transfer.amount) != SETTLE_OK)
        throw std::runtime_error("bad amount");
    return event;
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 2 || std::strcmp(settle_version(), SETTLE_VERSION) != 0)
        return 2;
    engine bank{argv[1]};
    bank.declare(2, 6, "USDT");
    const settle_asset usdt = bank.asset("USDT");
    const settle_event first = deposit(1001, usdt, "1000.50", 1733856600000);

    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event_id_format(&first, id);
    std::printf("%s %s\n", id, settle_outcome_name(bank.submit({first})[0].outcome));
    auto later = bank.submit_later(deposit(1001, usdt, "0.000001", 1733856601000));
    std::printf("later %s\n", settle_outcome_name(later.get().outcome));
    std::printf("1001 has %s USDT\n", bank.available(1001, usdt).c_str());
    try {
        bank.available(7, usdt);
    } catch (const failure &nothing) {
        std::printf("7 has %s\n", nothing.what());
    }
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
