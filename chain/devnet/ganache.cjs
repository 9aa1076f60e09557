// Runs one Ganache whose chain lives on disk, with a write-through cache in front of LevelDB.
//
// Ganache reads its trie from LevelDB for every storage access, asynchronously and uncached, so its speed goes with
// the number of accesses; and it waits for LevelDB some five hundred times while it mines a batch of 200 awards. Here
// reads are answered from memory, and the nodes of the state trie are written together with the block that needs them,
// in one atomic batch that is on disk before the block is acknowledged: the chain survives kill -9 as well as plain
// LevelDB does, and a block can never be there without its state.
//
// Protocol: the parent writes one line of JSON to stdin and keeps the pipe open. This process answers one line of
// JSON on stdout ({"ready": true, "port": ...} or {"error": "..."}), and ends when the pipe closes, so that it cannot
// outlive a parent that crashed, or on SIGTERM.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { createRequire } = require("node:module");

const CLOSE_TIMEOUT_MS = 5000;
const CACHE_BYTES_MAX = 768 * 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 150;
// Writes that may wait for the next block: nodes of the state trie ("T") and preimages of storage keys ("s").
const DEFERRED = ["!T!", "!s!"];
const DEFERRED_MAX = 20_000;

const ganachePath = require.resolve("ganache");
const fromGanache = createRequire(ganachePath);
const { AbstractLevelDOWN } = fromGanache("abstract-leveldown");
const leveldown = fromGanache("leveldown");

/** Recently used values in at most `bytesMax` bytes: two generations, the older one forgotten when the younger is full. */
class Generations {
  constructor(bytesMax) {
    this.half = bytesMax / 2;
    this.young = new Map();
    this.old = new Map();
    this.bytes = 0;
  }

  get(key) {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const aged = this.old.get(key);
    if (aged !== undefined) this.set(key, aged);
    return aged;
  }

  set(key, value) {
    this.young.set(key, value);
    this.bytes += key.length + value.length + ENTRY_OVERHEAD_BYTES;
    if (this.bytes > this.half) {
      this.old = this.young;
      this.young = new Map();
      this.bytes = 0;
    }
  }

  delete(key) {
    this.young.delete(key);
    this.old.delete(key);
  }
}

/** LevelDB behind the cache. Every write that is not deferred takes all deferred ones before it along. */
class WriteThrough extends AbstractLevelDOWN {
  constructor(location) {
    super({ bufferKeys: true, snapshots: true, permanence: true, seek: true, clear: true });
    this.level = leveldown(location);
    this.cache = new Generations(CACHE_BYTES_MAX);
    this.epoch = 0; // counts writes and their ends, so that a read under way never caches what a write replaced
    this.deferred = []; // in order
    this.unwritten = new Map(); // what is deferred or being written: the cache may forget, this may not
    this.writing = false;
    this.waiting = []; // callbacks of the writes that go next
  }

  _serializeKey(key) {
    return Buffer.isBuffer(key) ? key : Buffer.from(String(key));
  }

  _serializeValue(value) {
    return Buffer.isBuffer(value) ? value : Buffer.from(String(value));
  }

  _open(options, callback) {
    this.level.open(options, callback);
  }

  _close(callback) {
    this.flush((error) => (error ? callback(error) : this.level.close(callback)));
  }

  _get(key, options, callback) {
    const name = key.toString("latin1");
    const known = this.unwritten.get(name) ?? this.cache.get(name);
    if (known !== undefined) {
      // Never in the same turn: Ganache would be called back before it has set its flags, and then it now and then
      // stops mining with transactions left in its pool.
      setImmediate(() => callback(null, options.asBuffer === false ? known.toString() : known));
      return;
    }
    const epoch = this.epoch;
    this.level.get(key, { asBuffer: true }, (error, value) => {
      if (error) return callback(error);
      if (epoch === this.epoch) this.cache.set(name, value);
      callback(null, options.asBuffer === false ? value.toString() : value);
    });
  }

  _put(key, value, options, callback) {
    this.write([{ type: "put", key, value }], callback);
  }

  _del(key, options, callback) {
    this.write([{ type: "del", key }], callback);
  }

  _batch(operations, options, callback) {
    this.write(operations, callback);
  }

  _clear(options, callback) {
    this.flush((error) => {
      if (error) return callback(error);
      this.epoch += 1;
      this.cache = new Generations(CACHE_BYTES_MAX);
      this.level.clear(options, callback);
    });
  }

  _iterator(options) {
    // Iterators see LevelDB only. Ganache iterates over blocks and transactions, which are never deferred.
    return this.level.iterator(options);
  }

  write(operations, callback) {
    this.epoch += 1;
    let mayWait = this.deferred.length < DEFERRED_MAX;
    for (const operation of operations) {
      const name = operation.key.toString("latin1");
      if (operation.type !== "del" && DEFERRED.includes(name.slice(0, 3))) {
        this.cache.set(name, operation.value);
        this.unwritten.set(name, operation.value);
      } else {
        // A block or a receipt is seen only once it is on disk: nobody is told of what a crash could take back.
        this.cache.delete(name);
        this.unwritten.delete(name);
        mayWait = false;
      }
      this.deferred.push(operation);
    }
    if (mayWait) setImmediate(callback);
    else this.flush(callback);
  }

  /** Everything deferred so far goes to LevelDB in one atomic batch; one batch at a time, so that order is kept. */
  flush(callback) {
    this.waiting.push(callback);
    if (!this.writing) this.writeNext();
  }

  writeNext() {
    const operations = this.deferred;
    const callbacks = this.waiting;
    this.deferred = [];
    this.waiting = [];
    this.writing = true;
    this.level.batch(operations, {}, (error) => {
      this.writing = false;
      this.epoch += 1;
      for (const { type, key, value } of operations) {
        const name = key.toString("latin1");
        if (type === "del") this.cache.delete(name);
        else {
          this.cache.set(name, value);
          if (this.unwritten.get(name) === value) this.unwritten.delete(name);
        }
      }
      if (this.waiting.length > 0) this.writeNext();
      for (const callback of callbacks) callback(error);
    });
  }
}

function answer(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}

async function run(settings) {
  const ganache = require("ganache");
  fs.mkdirSync(settings.state, { recursive: true });
  const location = path.join(settings.state, "chain");
  const database = settings.cache === false ? { dbPath: location } : { db: new WriteThrough(location) };
  const server = ganache.server({
    chain: { chainId: settings.chainId, networkId: settings.chainId, hardfork: "shanghai" },
    wallet: { mnemonic: settings.mnemonic, totalAccounts: settings.accounts, defaultBalance: settings.balanceEther },
    miner: { blockGasLimit: settings.blockGasLimit, instamine: settings.instamine, callGasLimit: settings.blockGasLimit },
    logging: { quiet: true },
    database,
  });

  let closing = false;
  const close = () => {
    if (closing) return;
    closing = true;
    setTimeout(() => process.exit(1), CLOSE_TIMEOUT_MS).unref();
    server.close().then(
      () => process.exit(0),
      (error) => {
        console.error(String(error));
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", close);
  process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group: the parent decides when the node ends.
  process.stdin.on("close", close);

  await server.listen(settings.port, "127.0.0.1");
  answer({ ready: true, port: server.address().port });
}

readline.createInterface({ input: process.stdin }).once("line", (line) => {
  run(JSON.parse(line)).catch((error) => {
    answer({ error: String((error && error.message) || error) });
    process.exit(1);
  });
});
