// Asks @openfeature/flagd-core: one JSON document on stdin, one on stdout.
//   {"config": "...", "asks": [["boolean", "flag", fallback, {context}], ...]}
// The configuration must be valid against flagd's published schema, which the library brings.
"use strict";

const { FlagdCore, MemoryStorage } = require("@openfeature/flagd-core");

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const methods = {
  boolean: "resolveBooleanEvaluation",
  string: "resolveStringEvaluation",
  number: "resolveNumberEvaluation",
  object: "resolveObjectEvaluation",
};

let input = "";
process.stdin.on("data", (part) => (input += part));
process.stdin.on("end", () => {
  const { config, asks } = JSON.parse(input);
  const begin = performance.now();
  const storage = new MemoryStorage(silent);
  storage.setConfigurations(config, true);
  const core = new FlagdCore(storage, silent);
  const loaded = performance.now() - begin;
  const answers = asks.map(([type, flag, fallback, context]) => {
    const { value, variant, reason, errorCode } = core[methods[type]](flag, fallback, context);
    return { value, variant, reason, errorCode };
  });
  process.stdout.write(JSON.stringify({ answers, loaded }));
});
