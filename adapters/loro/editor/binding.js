// Binds one text of a Loro document to one CodeMirror. loro-codemirror knows documents of one text; here a document has
// many, and maps beside them, so each of its plugins is given a view of the document that tells of its text alone.
import { EditorSelection, EditorState, Prec, Transaction } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { LoroSyncPlugin, LoroUndoPlugin } from "loro-codemirror";

const narrowed = (doc, root) => {
  const id = doc.getText(root).id;
  return new Proxy(doc, {
    get(target, name) {
      if (name === "subscribe") {
        return (hear) =>
          target.subscribe((event) => {
            const events = event.events.filter((one) => one.target === id && one.diff.type === "text");
            if (events.length) hear({ ...event, events });
          });
      }
      const found = target[name];
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
};

// One history for all texts of the page: each text's plugin would have it keep its own cursor.
const shared = (undo) => ({
  undo: () => undo.undo(),
  redo: () => undo.redo(),
  canUndo: () => undo.canUndo(),
  canRedo: () => undo.canRedo(),
  setOnPush: () => {},
  setOnPop: () => {},
});

// The plugin's own keys undo inside a transaction, in which Loro tells at once what changed: the editor would miss it.
const keys = (undo) => {
  const back = () => undo.undo() || true;
  const forth = () => undo.redo() || true;
  return [
    { key: "Mod-z", run: back, preventDefault: true },
    { key: "Mod-y", mac: "Mod-Shift-z", run: forth, preventDefault: true },
    { key: "Mod-Shift-z", run: forth, preventDefault: true },
  ];
};

// What the server would not take is not let in: a person's change that writes more letters than that has at once.
export const atMost = (most, tell) =>
  EditorState.transactionFilter.of((transaction) => {
    if (!transaction.docChanged || !transaction.annotation(Transaction.userEvent)) return transaction;
    let count = 0;
    transaction.changes.iterChanges((fromA, toA, fromB, toB) => { count += toB - fromB; });
    tell(count > most ? count : 0);
    return count > most ? [] : transaction;
  });

// An editor whose cursor stands where a line is wrapped, at one of its two sides, puts it there again when it has lost the
// focus; and with the cursor it would take the focus back from the text that is typed in now.
const sideless = EditorView.domEventHandlers({
  blur: (_, view) => {
    queueMicrotask(() => {
      const { main } = view.state.selection;
      if (main.empty && main.assoc && !view.hasFocus) view.dispatch({ selection: EditorSelection.cursor(main.head) });
    });
  },
});

export const bound = (doc, root, undo) => {
  const text = () => doc.getText(root);
  const mine = narrowed(doc, root);
  return [
    // Both sides count a line's end as one character only if nothing else than \n ends a line.
    EditorState.lineSeparator.of("\n"),
    EditorView.clipboardInputFilter.of((pasted) => pasted.replace(/\r\n?/g, "\n")),
    LoroSyncPlugin(mine, text),
    LoroUndoPlugin(mine, shared(undo), text),
    Prec.highest(keymap.of(keys(undo))),
    sideless,
  ];
};

// The plugin passes over the first update after its beginning; so that this is nobody's first letter:
export const begun = (view) => Promise.resolve().then(() => view.dispatch({}));
