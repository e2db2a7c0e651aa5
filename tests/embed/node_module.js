'use strict';
/* docs/examples/node/settle.js: amounts are exact at the limit, bad input is refused, errors are thrown, calls run side by side.
 *     node node_module.js DIRECTORY */
const assert = require('node:assert');
const settle = require('settle.js');

const [directory] = process.argv.slice(2);
const assets = { USDT: [2, 6], ETH: [3, 18] };

async function main() {
  const engine = new settle.Engine(directory, assets);
  const most = '170141183460469231731.687303715884105727';
  await engine.submit([engine.deposit(1n, 'ETH', most, 1)]);
  assert.strictEqual(engine.balance(1, 'ETH'), most);
  assert.strictEqual(engine.balance(settle.USER_EXTERNAL, 'ETH'), `-${most}`);
  assert.strictEqual(engine.balance(2, 'ETH'), '0.000000000000000000');

  assert.throws(() => engine.deposit(1, 'USDT', 1.5, 1), TypeError);
  for (const bad of ['-1', '1.1234567', '1e3', '', '01', ' 1'])
    assert.throws(() => engine.deposit(1, 'USDT', bad, 1), RangeError);
  assert.throws(() => engine.deposit(1, 'EUR', '1', 1), RangeError);
  await assert.rejects(engine.submit([engine.deposit(1, 'USDT', '1', 1), engine.deposit(0, 'USDT', '1', 1)]),
    { name: 'SETTLE_E_INVALID', index: 1 });
  assert.throws(() => new settle.Engine(directory), { name: 'SETTLE_E_BUSY' });
  assert.throws(() => engine.declare('USDT', 9, 6), { name: 'SETTLE_E_CONFLICT' });

  // Many calls at once, each with a text of its own that the collector must not take away.
  const calls = [];
  for (let i = 0; i < 400; i++) {
    calls.push(engine.submit([engine.deposit(7, 'USDT', '0.000001', 1, `many-${i}-${'x'.repeat(i % 40)}`)]));
    if (i % 50 === 0 && global.gc) global.gc();
  }
  const results = (await Promise.all(calls)).flat();
  assert.strictEqual(results.filter((result) => result.outcome === 'accepted').length, 400);
  assert.strictEqual(new Set(results.map((result) => result.seq)).size, 400);
  assert.strictEqual(engine.balance(7, 'USDT'), '0.000400');
  const [again] = await engine.submit([engine.deposit(7, 'USDT', '0.000001', 1, 'many-0-')]);
  assert.deepStrictEqual([again.outcome, again.firstSeq], ['duplicate', results[0].seq]);
  engine.close();
  console.log('done');
}

main();
