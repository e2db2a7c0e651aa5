'use strict';
/*
 * libsettle from Node.js, by koffi (npm install koffi): no compiler, just the shared library.
 *
 *     const { Engine } = require('./settle.js');
 *     const engine = new Engine('data', { USDT: [2, 6] });
 *     const [result] = await engine.submit([engine.deposit(1001n, 'USDT', '1000.50', 1733856600000)]);
 *     console.log(result.outcome, engine.balance(1001n, 'USDT'));
 *     engine.close();
 *
 * The library is found as libsettle.so.0, or where SETTLE_LIBRARY says. Amounts are decimal strings in and out, users and
 * sequence numbers BigInt. submit() waits for the disk in a thread of libuv's, so the event loop goes on and many calls
 * share a commit; the other calls are short. Structs are written by offset (tests/golden/abi.txt), little-endian,
 * into Buffers of more than 64 bytes, which lie still and are aligned as the library needs it.
 */
const koffi = require('koffi');

const DEPOSIT = 1, WITHDRAWAL = 2, TRADE = 3;
const USER_EXTERNAL = 2n ** 64n - 2n, USER_FEES = 2n ** 64n - 1n;
const OK = 0, E_NOT_FOUND = -2;
/* Bytes of settle_event, settle_result, settle_balance, settle_error; where text lies in the latter. */
const EVENT_BYTES = 208, RESULT_BYTES = 24, BALANCE_BYTES = 64, ERROR_BYTES = 600, ERROR_INDEX = 16, ERROR_TEXT = 280;

/* koffi has room for 64 calls in other threads; libuv has four threads (UV_THREADPOOL_SIZE). */
const CALLS_MAX = 32;

const library = koffi.load(process.env.SETTLE_LIBRARY || 'libsettle.so.0');
koffi.struct('settle_text', { data: 'void *', bytes: 'size_t' });
const call = {};
for (const prototype of [
  'int settle_open(const char *directory, void *options, _Out_ void **ret_engine, void *error)',
  'int settle_close(void *engine, void *error)',
  'int settle_asset_declare(void *engine, void *asset, void *error)',
  'int settle_submit(void *engine, void *events, size_t count, void *results, void *error)',
  'int settle_balance_get(void *engine, uint64_t user, uint32_t asset, void *balance, void *error)',
  'int settle_amount_parse(settle_text text, uint8_t scale, void *amount)',
  'int settle_price_parse(settle_text text, void *price)',
  'const char *settle_status_name(int status)',
  'const char *settle_outcome_name(int outcome)',
  'const char *settle_reason_name(int reason)',
  'const char *settle_version()',
]) {
  call[prototype.match(/settle_\w+(?=\()/)[0].slice('settle_'.length)] = library.func(prototype);
}

class SettleError extends Error {
  constructor(status, error) {
    const end = error.indexOf(0, ERROR_TEXT);
    super(error.toString('utf8', ERROR_TEXT, end)); // it is shown behind the name
    this.status = status;
    this.name = call.status_name(status);
    this.index = Number(error.readBigUInt64LE(ERROR_INDEX)); // of a batch
  }
}

function check(status, error) {
  if (status !== OK) throw new SettleError(status, error);
}

/* Bytes of a text that stay where they are. */
function textOf(string) {
  const bytes = Buffer.from(string);
  const room = Buffer.alloc(Math.max(bytes.length, 65));
  bytes.copy(room);
  return { room, text: { data: room, bytes: bytes.length } };
}

function decimal(value, scale) {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return (value < 0n ? '-' : '') + (scale > 0 ? `${whole}.${digits.slice(-scale)}` : whole);
}

class Engine {
  /* assets: {symbol: [id, scale]} */
  constructor(directory, assets = {}) {
    const out = [null], error = Buffer.alloc(ERROR_BYTES);
    check(call.open(directory, null, out, error), error);
    this.handle = out[0];
    this.assets = {};
    this.running = 0; // calls of submit() in libuv's threads
    this.waiting = []; // for one of them to end
    for (const [symbol, [id, scale]] of Object.entries(assets)) this.declare(symbol, id, scale);
  }

  close() {
    const error = Buffer.alloc(ERROR_BYTES), handle = this.handle;
    this.handle = null;
    check(call.close(handle, error), error);
  }

  declare(symbol, id, scale) {
    const asset = Buffer.alloc(65), error = Buffer.alloc(ERROR_BYTES);
    asset.writeUInt32LE(id, 0);
    asset.writeUInt8(scale, 4);
    asset.write(symbol, 5, 15, 'ascii');
    check(call.asset_declare(this.handle, asset, error), error);
    this.assets[symbol] = { id, scale };
  }

  #asset(symbol) {
    if (!Object.hasOwn(this.assets, symbol)) throw new RangeError(`${symbol} is not declared`);
    return this.assets[symbol];
  }

  #putAmount(bytes, offset, amount, symbol) {
    if (typeof amount !== 'string') throw new TypeError('an amount is a decimal string');
    const parsed = Buffer.alloc(96);
    if (call.amount_parse(textOf(amount).text, this.#asset(symbol).scale, parsed) !== OK)
      throw new RangeError(`'${amount}' is no amount of ${symbol}`);
    parsed.copy(bytes, offset, 0, 16);
  }

  #event(type, ts, id) {
    const event = { bytes: Buffer.alloc(EVENT_BYTES), texts: [] };
    event.bytes.writeUInt32LE(type, 0);
    event.bytes.writeBigUInt64LE(BigInt(ts), 8);
    if (id !== undefined) event.texts.push([16, id]);
    return event;
  }

  #transfer(type, user, symbol, amount, ts, id) {
    const event = this.#event(type, ts, id);
    event.bytes.writeBigUInt64LE(BigInt(user), 32);
    event.bytes.writeUInt32LE(this.#asset(symbol).id, 40);
    this.#putAmount(event.bytes, 48, amount, symbol);
    return event;
  }

  deposit(user, symbol, amount, ts, id) { return this.#transfer(DEPOSIT, user, symbol, amount, ts, id); }
  withdrawal(user, symbol, amount, ts, id) { return this.#transfer(WITHDRAWAL, user, symbol, amount, ts, id); }

  /* {id, tradeId, buyer, seller, base, quote, quantity, price, quoteAmount, buyerFee, sellerFee, ts} */
  trade(t) {
    const { bytes, texts } = this.#event(TRADE, t.ts, t.id);
    if (t.tradeId !== undefined) texts.push([32, t.tradeId]);
    bytes.writeBigUInt64LE(BigInt(t.buyer), 48);
    bytes.writeBigUInt64LE(BigInt(t.seller), 56);
    bytes.writeUInt32LE(this.#asset(t.base).id, 64);
    bytes.writeUInt32LE(this.#asset(t.quote).id, 68);
    this.#putAmount(bytes, 80, t.quantity, t.base);
    if (t.price !== undefined) {
      const price = Buffer.alloc(96);
      if (typeof t.price !== 'string' || call.price_parse(textOf(t.price).text, price) !== OK)
        throw new RangeError(`'${t.price}' is no price`);
      price.copy(bytes, 96, 0, 32);
    }
    if (t.quoteAmount !== undefined) this.#putAmount(bytes, 128, t.quoteAmount, t.quote);
    this.#putAmount(bytes, 144, t.buyerFee ?? '0', t.base);
    this.#putAmount(bytes, 160, t.sellerFee ?? '0', t.quote);
    return { bytes, texts };
  }

  /* What became of each, once all are on stable storage. They are submitted in order. */
  async submit(events) {
    const batch = Buffer.alloc(Math.max(events.length * EVENT_BYTES, 65)); // never of Node's pool: that is not aligned
    const results = Buffer.alloc(Math.max(events.length * RESULT_BYTES, 65)), error = Buffer.alloc(ERROR_BYTES);
    const held = []; // until the call is over
    events.forEach((event, i) => {
      event.bytes.copy(batch, i * EVENT_BYTES);
      for (const [offset, string] of event.texts) {
        const { room, text } = textOf(string);
        held.push(room);
        batch.writeBigUInt64LE(BigInt(koffi.address(room)), i * EVENT_BYTES + offset);
        batch.writeBigUInt64LE(BigInt(text.bytes), i * EVENT_BYTES + offset + 8);
      }
    });
    while (this.running >= CALLS_MAX) await new Promise((resolve) => this.waiting.push(resolve));
    this.running++;
    const status = await new Promise((resolve, reject) => {
      call.submit.async(this.handle, batch, events.length, results, error, (fault, value) => {
        held.length = 0;
        this.running--;
        this.waiting.shift()?.();
        if (fault) reject(fault);
        else resolve(value);
      });
    });
    check(status, error);
    return events.map((_, i) => ({
      seq: results.readBigUInt64LE(i * RESULT_BYTES),
      outcome: call.outcome_name(results.readUInt32LE(i * RESULT_BYTES + 8)),
      reason: call.reason_name(results.readUInt32LE(i * RESULT_BYTES + 12)) || null,
      firstSeq: results.readBigUInt64LE(i * RESULT_BYTES + 16) || null,
    }));
  }

  /* What is available, with all the asset's decimals; durable. */
  balance(user, symbol) {
    const { id, scale } = this.#asset(symbol);
    const balance = Buffer.alloc(Math.max(BALANCE_BYTES, 65)), error = Buffer.alloc(ERROR_BYTES);
    const status = call.balance_get(this.handle, BigInt(user), id, balance, error);
    if (status !== E_NOT_FOUND) check(status, error);
    return decimal((balance.readBigInt64LE(24) << 64n) + balance.readBigUInt64LE(16), scale);
  }
}

module.exports = { Engine, SettleError, USER_EXTERNAL, USER_FEES, version: () => call.version() };
