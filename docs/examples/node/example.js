'use strict';
/* Two deposits, a trade and a withdrawal. Run it again: duplicates, and no balance moves.
 *     npm install koffi
 *     SETTLE_LIBRARY=/usr/local/lib/libsettle.so.0 node example.js data */
const settle = require('./settle.js');

const ALICE = 1001n, BOB = 1002n;

async function main() {
  if (process.argv.length !== 3) {
    console.error(`usage: ${process.argv[1]} DIRECTORY`);
    process.exitCode = 1;
    return;
  }
  const engine = new settle.Engine(process.argv[2], { BTC: [1, 8], USDT: [2, 6] });
  const results = await engine.submit([
    engine.deposit(ALICE, 'USDT', '1000.50', 1733856600000),
    engine.deposit(BOB, 'BTC', '0.5', 1733856601000),
    engine.trade({ tradeId: 'T-1', buyer: ALICE, seller: BOB, base: 'BTC', quote: 'USDT', quantity: '0.01', price: '90000.5',
                   buyerFee: '0.00001', sellerFee: '0.90', ts: 1733856602000 }),
    engine.withdrawal(ALICE, 'USDT', '1000000', 1733856603000, 'too-much'),
  ]);
  for (const { seq, outcome, reason } of results) console.log(`${seq} ${outcome}${reason ? ` ${reason}` : ''}`);
  for (const [name, user] of Object.entries({ alice: ALICE, bob: BOB, external: settle.USER_EXTERNAL, fees: settle.USER_FEES }))
    console.log(`${name} ${engine.balance(user, 'BTC')} BTC ${engine.balance(user, 'USDT')} USDT`);
  engine.close();
}

main();
