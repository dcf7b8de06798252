// node search.js WORKER INDEX WORD…: runs the site's own search, and prints the pages found for each word as JSON.
const fs = require("fs");
const vm = require("vm");

const [worker, index, ...words] = process.argv.slice(2);
const data = JSON.parse(fs.readFileSync(index));
const found = {};
const SETUP = 0, READY = 1, QUERY = 2, RESULT = 3;

const self = {
  postMessage({ type, data: result }) {
    if (type === RESULT) found[words.shift()] = result.items.map(({ id }) => data.items[id].location);
    else if (type !== READY) throw new Error(`The search answered ${type}.`);
    if (words.length) self.onmessage({ data: { type: QUERY, data: { input: words[0] } } });
    else console.log(JSON.stringify(found));
  },
};
vm.runInNewContext(fs.readFileSync(worker, "utf8"), { self });
self.onmessage({ data: { type: SETUP, data } });
