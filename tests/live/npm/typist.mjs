// A person who types a letter now and then, at the published client of the Loro protocol, unchanged. It prints when each
// of its letters was typed, and when each of others' was there: milliseconds of this machine's clock.
import { LoroDoc } from "loro-crdt";
import { LoroAdaptor } from "loro-adaptors/loro";
import { LoroWebsocketClient } from "loro-websocket";
import { WebSocket } from "ws";

globalThis.WebSocket = WebSocket;
const [url, room, name, letters, rest, first] = process.argv.slice(2);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const now = () => performance.timeOrigin + performance.now();
const told = { name, typed: {}, seen: {} };

const client = new LoroWebsocketClient({ url, disablePing: true });
await client.waitConnected();
const doc = new LoroDoc();
const crdtAdaptor = new LoroAdaptor(doc);
const joined = await client.join({ roomId: room, crdtAdaptor, auth: new TextEncoder().encode(name) });
await joined.waitForReachingServerVersion();
const text = doc.getText("text:body");

// Letters are of a range of their own for each person, so that each can be told.
text.subscribe((event) => {
  const at = now();
  if (event.by !== "import") return;
  for (const { diff } of event.events) {
    for (const { insert } of diff.diff ?? []) {
      for (const letter of typeof insert === "string" ? insert : "") {
        if (letter >= "\u4e00" && letter <= "\u9fff") told.seen[letter] ??= at;
      }
    }
  }
});

console.log("ready");
await new Promise((said) => process.stdin.once("data", said));
// One behind the other, each person in a sentence of its own.
let place = text.toString().indexOf(`${name} says`) + `${name} says`.length;
let cursor = text.getCursor(place);
for (let number = 0; number < Number(letters); number++) {
  const letter = String.fromCharCode(Number(first) + number);
  text.insert(doc.getCursorPos(cursor).offset, letter);
  told.typed[letter] = now();
  doc.commit();
  await pause(Number(rest) * (0.5 + Math.random()));
}
console.log("done");
await new Promise((said) => process.stdin.once("data", said));
// Others type as many.
for (let waited = 0; waited < 1200 && Object.keys(told.seen).length < Number(letters); waited++) await pause(50);
console.log(JSON.stringify(told));
process.exit(0);
