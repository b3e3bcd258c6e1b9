// Who wrote what: the server tells it for a version, and what came since is carried over by Loro's difference.
import { RangeSetBuilder, StateEffect, StateField, Transaction } from "@codemirror/state";
import { Decoration, EditorView } from "@codemirror/view";
import { VersionVector } from "loro-crdt";
import { colour, listed } from "./names.js";

const SOON = 300; // milliseconds after a change: text first, colours in its wake
const credited = StateEffect.define();

const mark = (names) =>
  Decoration.mark({ class: `by ${colour(names[0])}`, attributes: { title: listed(names) }, names });

const ranges = (runs, length) => {
  const made = new RangeSetBuilder();
  let at = 0;
  for (const [size, names] of runs) {
    const end = Math.min(at + size, length);
    if (names.length && end > at) made.add(at, end, mark(names));
    at = end;
  }
  return made.finish();
};

export const credits = (me) => {
  const field = StateField.define({
    create: () => Decoration.none,
    update(marks, transaction) {
      let found = marks.map(transaction.changes);
      if (transaction.docChanged && transaction.annotation(Transaction.userEvent)) {
        transaction.changes.iterChangedRanges((fromA, toA, fromB, toB) => {
          if (toB === fromB) return;
          found = found.update({ filterFrom: fromB, filterTo: toB, filter: (from, to) => from < fromB || to > toB });
          found = found.update({ add: [mark([me]).range(fromB, toB)], sort: true });
        });
      }
      for (const effect of transaction.effects) {
        if (effect.is(credited)) found = ranges(effect.value, transaction.state.doc.length);
      }
      return found;
    },
    provide: (self) => EditorView.decorations.from(self),
  });
  return field;
};

// Who wrote what stands before a place.
export const writersAt = (state, field, at) => {
  let names = [];
  state.field(field).between(Math.max(at - 1, 0), at, (from, to, { spec }) => {
    if (from < at && at <= to) names = spec.names;
  });
  return names;
};

// Runs of [length, names], changed as a text was; what was put in is nobody's yet.
const carried = (runs, delta) => {
  const waiting = runs.map((run) => [...run]);
  const found = [];
  const take = (count, keep) => {
    while (count > 0 && waiting.length) {
      const run = waiting[0];
      const size = Math.min(run[0], count);
      if (keep) found.push([size, run[1]]);
      count -= size;
      run[0] -= size;
      if (!run[0]) waiting.shift();
    }
  };
  for (const step of delta) {
    if (step.insert) found.push([step.insert.length, []]);
    else take(step.retain ?? step.delete, step.retain !== undefined);
  }
  return [...found, ...waiting];
};

export class Credits {
  // Asks who wrote what whenever a document has changed, and shows it in the editors of its texts.
  constructor(doc, address, views, show) {
    Object.assign(this, { doc, address, views, show, told: null, timer: 0, isAsking: false });
    this.stop = doc.subscribe((event) => {
      if (event.by === "import") this.soon();
    });
    this.soon();
  }

  soon(after = SOON) {
    if (!this.timer && !this.isAsking) this.timer = setTimeout(() => void this.ask(), after);
  }

  async ask() {
    this.timer = 0;
    if (this.told && this.tell()) this.told = null;
    this.isAsking = true;
    const before = this.doc.frontiers();
    try {
      const answer = await fetch(this.address, { headers: { accept: "application/json" } });
      if (answer.ok) {
        this.told = await answer.json();
        if (this.tell()) this.told = null;
      }
    } catch { /* offline: the next change asks again */ }
    this.isAsking = false;
    const now = this.doc.frontiers();
    const isNews = JSON.stringify(before) !== JSON.stringify(now);
    if (!this.isOver && (isNews || this.told)) this.soon(this.told ? 1000 : SOON);
  }

  // Shows what was told; false while what it tells of has not arrived here.
  tell() {
    const version = VersionVector.decode(Uint8Array.from(atob(this.told.version), (one) => one.charCodeAt(0)));
    if (!(this.doc.oplogVersion().compare(version) >= 0)) return false;
    const delta = new Map(
      this.doc.diff(this.doc.vvToFrontiers(version), this.doc.frontiers()).map(([id, one]) => [id, one.diff]),
    );
    const { names, texts } = this.told;
    names.forEach(colour);
    for (const [root, view] of this.views) {
      if (!texts[root]) continue;
      const runs = texts[root].map(([length, ...numbers]) => [length, numbers.map((number) => names[number])]);
      const change = delta.get(this.doc.getText(root).id);
      view.dispatch({ effects: credited.of(change ? carried(runs, change) : runs) });
    }
    this.show();
    return true;
  }

  end() {
    this.isOver = true;
    clearTimeout(this.timer);
    this.stop();
  }
}
