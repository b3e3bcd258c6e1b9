// The desk's editor: the texts of one document, each in a CodeMirror, shared with people and agents over Loro's protocol.
import { defaultKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { LoroAdaptor, LoroEphemeralAdaptor } from "loro-adaptors/loro";
import init, { LoroDoc, UndoManager } from "loro-crdt";
import { CrdtType, UpdateStatusCode } from "loro-protocol";
import { LoroWebsocketClient } from "loro-websocket";
import { atMost, begun, bound } from "./binding.js";
import { Credits, credits, writersAt } from "./credits.js";
import { colour, element, known, listed } from "./names.js";
import { Presence } from "./presence.js";
import { asked, card, questions, questionsOf } from "./questions.js";

const page = document.getElementById("editor");
const { doc: room, user, nonce, api, question: questionAt, most } = page.dataset;
const base = new URL(import.meta.url).pathname.replace(/static\/[^/]*$/, "");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// -- the page ---------------------------------------------------------------------------------------------------------

const state = element("p", { class: "state", role: "status" }, "Connecting …");
const here = element("p", { class: "legend", "aria-label": "Who is here" });
const legend = element("p", { class: "legend", "aria-label": "Colours of who wrote" });
const colours = element("input", { type: "checkbox", checked: true, id: "colours" });
const note = element("div", { role: "alert" });
const texts = element("div", {});
const more = element("section", { hidden: true, "aria-labelledby": "more-title" });
page.append(
  element("div", { class: "bar" }, state, here, element("label", { for: "colours" }, colours, " who wrote what")),
  legend,
  note,
  texts,
  more,
);
colours.addEventListener("change", () => page.classList.toggle("plain", !colours.checked));

const tell = (text) => note.replaceChildren(...(text ? [element("p", { class: "notice strong" }, text)] : []));
const MUCH = "much";
const tooMuch = (count) => {
  if (!count && note.firstChild?.dataset.of !== MUCH) return;
  tell(count ? `That is too much at once: ${count.toLocaleString("en")} letters, and one change may bring ${Number(most).toLocaleString("en")}. Nothing was changed. Bring it in parts.` : "");
  if (count) note.firstChild.dataset.of = MUCH;
};
const tag = (name, about = "") => element("span", { class: `who ${colour(name)}` }, element("bdi", {}, name), about);
const STATES = { connected: "Connected", connecting: "Connecting …", disconnected: "Offline. What you type is kept, and sent later." };
const LOCKED = "The desk does not know you any more. Open it anew in another tab, by its link or your login. What you type is kept, and sent then.";
const reading = () => (mayWrite ? "" : " (you may read only)");

// -- deciding ---------------------------------------------------------------------------------------------------------

const tools = {
  address: (question) => `${questionAt}${encodeURIComponent(question.id)}`,
  async decide(question, action, body) {
    tell("");
    try {
      const answer = await fetch(`${api}questions/${encodeURIComponent(question.id)}/${action}`, {
        method: "POST",
        headers: { "content-type": "application/json", "if-match": question.version },
        body: JSON.stringify(body),
      });
      if (!answer.ok) tell(`Nothing was decided. ${(await answer.json()).detail}`);
    } catch {
      tell("Nothing was decided: the desk does not answer.");
    }
  },
};

// -- a document, and the editors of its texts ---------------------------------------------------------------------------

await init({ module_or_path: new URL(page.dataset.wasm, new URL(base, location.href)) });

const writers = credits(user);
const contests = questions(tools);
const views = new Map();
let doc, undo, shown, joined, mayWrite = true;

const presence = new Presence(user, (others) => {
  const names = [...new Set(others.map((one) => one.name))];
  here.replaceChildren("Here: ", tag(user, " (you)"), ...names.flatMap((name) => [" ", tag(name)]));
});

const named = (root) => root.slice("text:".length).split(".").map(decodeURIComponent).join(".");

const opened = (root) => {
  const at = element("p", { class: "at" });
  const field = element("div", { class: "page", "data-root": root });
  const section = element("section", { class: "text" }, element("h2", {}, named(root)), field, at);
  texts.append(section);
  const view = new EditorView({
    parent: field,
    state: EditorState.create({
      extensions: [
        ...bound(doc, root, undo),
        atMost(Number(most), tooMuch),
        keymap.of(defaultKeymap),
        EditorView.lineWrapping,
        EditorView.cspNonce.of(nonce),
        EditorView.contentAttributes.of({ "aria-label": named(root), spellcheck: "true" }),
        EditorState.readOnly.of(!mayWrite),
        placeholder("Nothing is written here yet."),
        writers,
        contests,
        presence.extension(root),
        EditorView.updateListener.of((update) => {
          if (!update.selectionSet && !update.transactions.length) return;
          const names = update.view.hasFocus ? writersAt(update.state, writers, update.state.selection.main.head) : [];
          at.textContent = names.length ? `At the cursor: ${listed(names)}` : "";
        }),
      ],
    }),
  });
  views.set(root, view);
  void begun(view);
};

const declared = JSON.parse(page.dataset.texts);

const look = () => {
  const roots = Object.keys(doc.getShallowValue()).filter((name) => name.startsWith("text:"));
  for (const root of new Set([...declared, ...roots])) if (!views.has(root)) opened(root);
  const found = questionsOf(doc);
  for (const [root, view] of views) {
    const text = JSON.stringify(found.get(root) ?? []);
    if (view.asked === text) continue;
    view.asked = text;
    queueMicrotask(() => view.dispatch({ effects: asked.of(found.get(root) ?? []) }));
  }
  const rest = [...found].filter(([root]) => !views.has(root)).flatMap(([, all]) => all);
  more.hidden = !rest.length;
  more.replaceChildren(
    element("h2", { id: "more-title" }, "Asked about other fields"),
    ...rest.map((question) => element("div", {}, element("h3", {}, question.path.join(".")), card(question, tools))),
  );
};

const shut = () => {
  shown?.end();
  for (const view of views.values()) view.destroy();
  views.clear();
  texts.replaceChildren();
};

const show = () => {
  const focused = [...views].find(([, view]) => view.hasFocus);
  const selection = focused?.[1].state.selection.main;
  shut();
  undo = new UndoManager(doc, { mergeInterval: 500 });
  look();
  doc.subscribe((event) => {
    if (event.by === "import") look();
  });
  shown = new Credits(doc, `${base}credits?doc=${encodeURIComponent(room)}`, views, () => {
    legend.replaceChildren(...known().flatMap((name) => [tag(name), " "]));
  });
  presence.at(doc, views);
  presence.draw();
  const again = focused && views.get(focused[0]);
  if (again) {
    again.focus();
    queueMicrotask(() => again.dispatch({ selection: { anchor: Math.min(selection.head, again.state.doc.length) } }));
  }
};

// -- the connection ---------------------------------------------------------------------------------------------------

class Client extends LoroWebsocketClient {
  // Of what was sent in a room the client keeps what is not answered, also when its connection breaks.
  unanswered() {
    return [...this.sentUpdateBatches].filter(([, { roomKey }]) => roomKey === CrdtType.Loro + room).map(([id]) => id);
  }

  forget() {
    for (const id of this.unanswered()) this.consumeSentBatch(id);
  }
}

class Adaptor extends LoroAdaptor {
  isAsked = false; // whether the server wants all that this document has, since it knows nothing of it
  isIn = false; // whether the server has been given all that there was when it was joined
  isLost = false; // whether the server has excluded it, since what it shared is gone

  // Whether the server has answered all that this document has.
  isSettled() {
    return this.isIn && !this.client.unanswered().length;
  }

  onUpdateError(updates, code, reason) {
    if (code === UpdateStatusCode.Unknown && updates.length) this.isIn = false; // it was not taken: it joins anew
    super.onUpdateError(updates, code, reason);
  }

  async handleJoinOk(answer) {
    this.client.forget(); // it is given again, with the rest
    mayWrite = answer.permission === "write";
    this.isAsked = !answer.version.length;
    state.textContent = STATES.connected + reading();
    const told = answer.extra?.length ? JSON.parse(new TextDecoder().decode(answer.extra)) : {};
    if (told.peer && !this.doc.opCount()) this.doc.setPeerId(told.peer);
    await super.handleJoinOk(answer);
    this.isIn = true;
  }
}

class PresenceAdaptor extends LoroEphemeralAdaptor {
  destroy() {
    this.destroyed = true; // the store goes on with another connection
    this.localUpdateUnsubscribe?.();
  }
}

const url = new URL(`${base}live`, location.href);
url.protocol = url.protocol.replace("http", "ws");
let isLocked = false;
const connected = () => {
  const made = new Client({ url: url.href, reconnect: { initialDelayMs: 200, maxDelayMs: 5000 } });
  made.onStatusChange((status) => {
    if (status !== "connected" && made.adaptor) made.adaptor.isIn = false;
    if (client && made !== client) return;
    if (status === "connected") isLocked = false;
    state.textContent = isLocked ? LOCKED : (STATES[status] ?? status) + (status === "connected" ? reading() : "");
    if (status === "disconnected") void ask(made);
  });
  return made;
};

// A websocket does not say why it was refused.
async function ask(made) {
  const answer = await fetch(`${base}credits`).catch(() => undefined); // the desk is away
  isLocked = [401, 403].includes(answer?.status);
  if (isLocked && made === client && made.getStatus() !== "connected") state.textContent = LOCKED;
}
let client;
client = connected();

async function join() {
  const fresh = new LoroDoc();
  const adaptor = new Adaptor(fresh, {
    onUpdateError: (_, code) => {
      if (code === UpdateStatusCode.InvalidUpdate || code === UpdateStatusCode.PayloadTooLarge) {
        if (!adaptor.isAsked || code === UpdateStatusCode.PayloadTooLarge) tell("Your last change was refused, and is not kept: it was too large, or not allowed. What stands is shown.");
        adaptor.isLost = true;
        if (fresh === doc) anew();
      } else if (code === UpdateStatusCode.PermissionDenied) tell("You may not write here. What you typed is not kept.");
      else if (code === UpdateStatusCode.AppError) tell("What you typed does not fit the model: what stands is shown.");
    },
  });
  adaptor.client = client;
  client.adaptor = adaptor;
  const room_ = await client.join({ roomId: room, crdtAdaptor: adaptor });
  await room_.waitForReachingServerVersion();
  await client.join({ roomId: room, crdtAdaptor: new PresenceAdaptor(presence.store) });
  return adaptor;
}

// Waits until what was typed in the earlier document is in the one of another adaptor. A letter that came there later
// than the next one would not stand before it, so all must have been answered. Then both are equal; or others have
// written, too, and nothing was typed or answered for a second.
const SECOND = 50;
async function arrived(before, after) {
  const same = () => [...views.keys()].every((root) => doc.getText(root).toString() === after.doc.getText(root).toString());
  for (let calm = 0, count = doc.opCount(); ; await pause(20)) {
    if (after.isLost) throw new Error("the desk was started anew");
    calm = before.isSettled() && count === doc.opCount() ? calm + 1 : 0;
    count = doc.opCount();
    if (calm >= SECOND || (calm && same())) return;
  }
}

// What was shared is gone, and what this page had was taken in: another document takes its place, on a connection of
// its own. Until then one types in the earlier one, whose connection brings that in as well, and stays until all of it
// is answered.
let renewing = false;
function anew() {
  if (renewing) return;
  renewing = true;
  const [earlier, before] = [client, joined];
  client = undefined;
  client = connected();
  void begin(before).then(async () => {
    renewing = false;
    do await pause(100);
    while (!before.isSettled());
    earlier.destroy();
  });
}

async function begin(before) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      await client.waitConnected();
      const adaptor = await Promise.race([join(), pause(10_000).then(() => Promise.reject(new Error("no answer")))]);
      if (before) await arrived(before, adaptor);
      [doc, joined] = [adaptor.doc, adaptor];
      show();
      return;
    } catch (error) {
      state.textContent = `Cannot open it: ${error.message}`;
      client.destroy();
      await pause(wait);
      client = connected(); // a join that was under way when a connection broke is never answered
    }
  }
}

await begin();
