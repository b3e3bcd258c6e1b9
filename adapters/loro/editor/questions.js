// Open questions: the contested sentence is marked, its sides stand below its line, and a button takes one.
import { StateEffect, StateField, Transaction } from "@codemirror/state";
import { Decoration, EditorView, WidgetType } from "@codemirror/view";
import { colour, element, listed } from "./names.js";

export const asked = StateEffect.define();

const rootOf = (path) =>
  `text:${path.map((part) => String(part).replace(/[%./:\0]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)).join(".")}`;

// The open questions that a document tells of, by the root of the text that they are about, or "" for others.
export const questionsOf = (doc) => {
  const found = new Map();
  for (const text of Object.values(doc.getMap("open").toJSON())) {
    const question = JSON.parse(text);
    const root = question.reason === "text" ? rootOf(question.path) : "";
    found.set(root, [...(found.get(root) ?? []), question]);
  }
  return found;
};

const said = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const sideOf = (side, number, take) =>
  element(
    "li",
    {},
    element("span", { class: `who ${colour(side.agents[0] ?? "")}` }, element("bdi", {}, listed(side.agents))),
    " ",
    side.deleted ? element("em", {}, "deletes it") : element("span", { class: "value" }, said(side.value) + (side.cut ? " …" : "")),
    " ",
    element("button", { type: "button", onclick: take, "aria-label": `Take side ${number}, by ${listed(side.agents)}` }, "Take"),
  );

export const card = (question, { decide, address }) => {
  const act = (action, body) => (event) => {
    event.preventDefault();
    void decide(question, action, body);
  };
  const sides = question.contenders.map((side, n) => sideOf(side, n + 1, act("resolve", { take: n + 1 })));
  return element(
    "div",
    { class: "contest", role: "group", "aria-label": `Open question about ${question.path.join(".")}`, "data-question": question.id },
    element("p", {}, question.contenders.length === 1 ? "One side is asked about. Until it is settled, what stood before is shown." : "Written differently at once. Until it is settled, what stood before is shown."),
    element("ol", {}, ...sides),
    element(
      "p",
      { class: "act" },
      question.has_base ? element("button", { type: "button", class: "plain", onclick: act("dismiss", {}) }, "Keep what stands") : "",
      element("a", { href: address(question) }, question.more ? `All sides (${question.more} more)` : "Open the question"),
    ),
  );
};

class Sides extends WidgetType {
  constructor(question, tools) {
    super();
    Object.assign(this, { question, tools });
  }

  eq(other) {
    return other.question.id === this.question.id && other.question.version === this.question.version;
  }

  toDOM() {
    return card(this.question, this.tools);
  }

  ignoreEvent() {
    return true;
  }
}

// Where contested ranges stand: what is shown of one is its base; of equal ones each question has its own.
const placed = (questions, text) => {
  let after = 0;
  const found = [];
  for (const question of questions) {
    const base = question.has_base ? said(question.base).trimEnd() : "";
    let at = base ? text.indexOf(base, after) : -1;
    if (at < 0 && base) at = text.indexOf(base);
    if (at >= 0) after = at + base.length;
    found.push({ question, from: at, to: at + base.length });
  }
  return found;
};

const drawn = (questions, doc, tools) =>
  Decoration.set(
    placed(questions, doc.toString()).flatMap(({ question, from, to }) => {
      const end = from < 0 ? doc.length : doc.lineAt(to).to;
      const below = Decoration.widget({ widget: new Sides(question, tools), block: true, side: 1 }).range(end);
      return from < 0 ? [below] : [Decoration.mark({ class: "contested" }).range(from, to), below];
    }),
    true,
  );

export const questions = (tools) =>
  StateField.define({
    create: () => ({ asked: [], marks: Decoration.none }),
    update(value, transaction) {
      const { doc } = transaction.state;
      const news = transaction.effects.findLast((effect) => effect.is(asked));
      if (news) return { asked: news.value, marks: drawn(news.value, doc, tools) };
      if (!transaction.docChanged || !value.asked.length) return value;
      // Who types over a sentence sees its sides where they stood; what comes from elsewhere may have replaced it.
      const marks = value.marks.map(transaction.changes);
      const isOwn = transaction.annotation(Transaction.userEvent) && marks.size === value.marks.size;
      return { ...value, marks: isOwn ? marks : drawn(value.asked, doc, tools) };
    },
    provide: (self) => EditorView.decorations.from(self, (value) => value.marks),
  });
