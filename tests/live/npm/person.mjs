// A person in an editor: the published client of the Loro protocol, unchanged. Types, undoes, loses the connection, and
// begins anew when the server says so, as docs/live.md tells. At the end it prints what its document shows.
import { LoroDoc, UndoManager } from "loro-crdt";
import { LoroAdaptor } from "loro-adaptors/loro";
import { UpdateStatusCode } from "loro-protocol";
import { LoroWebsocketClient } from "loro-websocket";
import { WebSocket } from "ws";

// The client may end a connection before it is there, and no longer listens then. In a browser that is nobody's error.
globalThis.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address);
    this.on("error", () => {});
  }
};
const [url, room, name, seconds, seed] = process.argv.slice(2);
let state = Number(seed) * 7919 + 13;
const chance = (n) => ((state = (state * 1103515245 + 12345) % 2147483648), Math.floor((state / 2147483648) * n));
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
console.error = () => {};

const connect = () =>
  new LoroWebsocketClient({ url, disablePing: true, reconnect: { initialDelayMs: 50, maxDelayMs: 200 } });
process.on("unhandledRejection", () => {}); // of a client that was destroyed while it connected
let client = connect();
const told = { name, typed: 0, undone: 0, dropped: 0, refused: 0, anew: 0, more: 0, broken: [] };
let doc, undo, joined;

async function join(earlier, connection) {
  const isKept = earlier && client.socket !== connection; // what it sent last may not have arrived: it is given again
  doc = isKept ? earlier : new LoroDoc();
  const mine = doc;
  const adaptor = new LoroAdaptor(doc, {
    onImportError: (error) => told.broken.push(String(error)),
    onUpdateError: (_, code) => {
      told.refused++;
      const ends = code === UpdateStatusCode.InvalidUpdate || code === UpdateStatusCode.PayloadTooLarge;
      if (ends && mine === doc && joined) void anew();
    },
  });
  const room_ = await client.join({
    roomId: room,
    crdtAdaptor: adaptor,
    auth: new TextEncoder().encode(name),
  });
  if (earlier && !isKept && client.socket !== connection) throw new Error("another connection");
  if (!isKept) await room_.waitForReachingServerVersion();
  if (mine !== doc) return;
  undo = new UndoManager(doc, {});
  joined = room_;
}

// What this document has is taken in, or is of no use: another one takes its place, if what was typed meanwhile has
// been sent; otherwise it joins again, and is told so again.
async function anew() {
  const [room_, earlier, connection] = [joined, doc, client.socket];
  if (connection.readyState !== WebSocket.OPEN) return;
  joined = undefined;
  told.anew++;
  await room_.destroy();
  await retry(earlier, connection);
}

async function retry(earlier, connection) {
  for (;;) {
    try {
      await Promise.race([join(earlier, connection), pause(4000).then(() => Promise.reject(new Error("no answer")))]);
      return;
    } catch {
      // A first join that was under way when the connection dropped is never asked again.
      client.destroy();
      client = connect();
      await Promise.race([client.waitConnected().catch(() => {}), pause(500)]);
    }
  }
}

function step() {
  const text = doc.getText("text:body");
  const shown = text.toString();
  const way = chance(12);
  if (way < 6) {
    let at = Math.min(chance(300), shown.length);
    if (at && (shown.charCodeAt(at) & 0xfc00) === 0xdc00) at--;
    for (const [place, letter] of [...` ${name}${told.typed++}`].entries()) text.insert(at + place, letter);
  } else if (way < 8) {
    const from = shown.indexOf(" ", chance(200)) + 1;
    const to = shown.indexOf(" ", from);
    if (from > 0 && to > from) { text.delete(from, to - from); text.insert(from, `${name}é😀${told.typed++}`); }
  } else if (way < 9) {
    const fields = doc.getMap("fields");
    const tokens = JSON.parse(fields.get("tokens") ?? "0");
    fields.set("tokens", JSON.stringify(tokens + 1));
    told.more++;
  } else if (way < 10 && undo.canUndo()) {
    const before = JSON.parse(doc.getMap("fields").get("tokens") ?? "0");
    undo.undo();
    told.more += JSON.parse(doc.getMap("fields").get("tokens") ?? "0") - before;
    told.undone++;
  } else if (way === 10 && chance(6) === 0) {
    client.socket?.close();
    told.dropped++;
  } else {
    doc.getList("list:rows").insert(0, JSON.stringify(`${name}${told.typed++}`));
  }
  doc.commit();
}

await client.waitConnected();
await retry();
const end = Date.now() + Number(seconds) * 1000;
while (Date.now() < end) {
  if (joined) step();
  await pause(15 + chance(40));
}
// Under way, for a second, is nothing that was typed while there was no connection.
for (let calm = 0; calm < 20; calm++) {
  await pause(50);
  if (!joined || client.socket?.readyState !== WebSocket.OPEN) calm = 0;
}
// All have stopped: whoever started this says which version is the last.
console.log("done");
const version = await new Promise((said) => process.stdin.once("data", (line) => said(Number(String(line)))));
for (let waited = 0; waited < 600; waited++) {
  if (joined && Number(doc.getMap("meta").get("version") ?? -1) >= version) break;
  await pause(50);
}
console.log(JSON.stringify({ ...told, value: doc.toJSON() }));
client.destroy();
process.exit(0);
