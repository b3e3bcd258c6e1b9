// Others: who is here, and where their cursors are. Cursors are Loro's, so they stay at their letters.
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin, WidgetType } from "@codemirror/view";
import { Cursor, EphemeralStore } from "loro-crdt";
import { colour, element } from "./names.js";

const KEPT = 30_000; // milliseconds for which others are shown after their last sign of life
const SIGN = 10_000;
const others = StateEffect.define();

class Caret extends WidgetType {
  constructor(name, isBack) {
    super();
    Object.assign(this, { name, isBack });
  }

  eq(other) {
    return other.name === this.name && other.isBack === this.isBack;
  }

  toDOM() {
    return element("span", { class: "caret", "aria-hidden": "true" }, element("span", { class: `flag ${colour(this.name)}${this.isBack ? " back" : ""}` }, this.name));
  }

  ignoreEvent() {
    return true;
  }
}

const shown = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    let found = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(others)) continue;
      const { length } = transaction.state.doc;
      found = Decoration.set(
        effect.value.flatMap(({ name, anchor, head, isBack }) => {
          const [from, to] = [anchor, head].map((at) => Math.min(at, length)).sort((a, b) => a - b);
          const caret = Decoration.widget({ widget: new Caret(name, isBack), side: 1 }).range(Math.min(head, length));
          return from === to ? [caret] : [Decoration.mark({ class: `chosen ${colour(name)}` }).range(from, to), caret];
        }),
        true,
      );
    }
    return found;
  },
  provide: (self) => EditorView.decorations.from(self),
});

export class Presence {
  // What this page says of itself, and hears of others, in the room of a document.
  constructor(name, heard) {
    Object.assign(this, { name, heard, store: new EphemeralStore(KEPT), doc: null, views: new Map(), mine: {} });
    this.store.subscribe((event) => {
      if (event.by !== "local") this.draw();
    });
    setInterval(() => this.say(this.mine), SIGN);
    addEventListener("pagehide", () => this.leave());
  }

  // Begins with another document, and its editors by root.
  at(doc, views) {
    this.leave();
    Object.assign(this, { doc, views });
    this.say({});
  }

  leave() {
    if (this.doc) this.store.delete(this.doc.peerIdStr);
  }

  say(where) {
    if (!this.doc) return;
    this.mine = where;
    this.store.set(this.doc.peerIdStr, { name: this.name, ...where });
  }

  // Tells others of the cursor in the editor of a text.
  extension(root) {
    const plugin = ViewPlugin.define(() => ({
      update: (update) => {
        if (!update.selectionSet && !update.focusChanged && !update.docChanged) return;
        if (!update.view.hasFocus) {
          if (this.mine.root === root) queueMicrotask(() => this.say({}));
          return;
        }
        queueMicrotask(() => this.move(root, update.view.state.selection.main));
      },
    }));
    return [shown, plugin];
  }

  move(root, { anchor, head }) {
    const text = this.doc.getText(root);
    if (Math.max(anchor, head) > text.length) return;
    const [one, other] = [anchor, head].map((at) => text.getCursor(at)?.encode());
    if (one && other) this.say({ root, anchor: one, head: other });
  }

  // Who else is here: names, and the text that each is in.
  others() {
    const all = Object.entries(this.store.getAllStates());
    return all.filter(([peer, one]) => peer !== this.doc?.peerIdStr && typeof one?.name === "string").map(([, one]) => one);
  }

  draw() {
    if (!this.doc) return;
    const where = (bytes) => this.doc.getCursorPos(Cursor.decode(bytes))?.offset;
    const found = new Map([...this.views.keys()].map((root) => [root, []]));
    for (const { name, root, anchor, head } of this.others()) {
      try {
        const places = found.has(root) ? [where(anchor), where(head)] : [];
        if (places[0] !== undefined && places[1] !== undefined) found.get(root).push({ name, anchor: places[0], head: places[1] });
      } catch { /* it stands at what has not arrived here */ }
    }
    for (const [root, view] of this.views) {
      const { left, width } = view.dom.getBoundingClientRect();
      const placed = found.get(root).map((one) => {
        const at = one.head <= view.state.doc.length ? view.coordsAtPos(one.head) : null;
        return { ...one, isBack: at !== null && at.left > left + width / 2 }; // its name would leave the page
      });
      view.dispatch({ effects: others.of(placed) });
    }
    this.heard(this.others());
  }
}
