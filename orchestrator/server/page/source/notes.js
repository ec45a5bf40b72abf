// What the language server adds to the text: sizes and sums, and how often an expectation holds.
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, WidgetType } from "@codemirror/view";

class Note extends WidgetType {
  constructor(words) {
    super();
    this.words = words;
  }

  eq(other) {
    return other.words === this.words;
  }

  toDOM() {
    const made = document.createElement("span");
    made.className = "cm-note";
    made.textContent = this.words;
    return made;
  }

  ignoreEvent() {
    return false;
  }
}

const put = StateEffect.define();
const field = StateField.define({
  create: () => Decoration.none,
  update(notes, transaction) {
    for (const effect of transaction.effects) if (effect.is(put)) return effect.value;
    return notes.map(transaction.changes);
  },
  provide: (own) => EditorView.decorations.from(own),
});

export const notes = [field];

/** Show `listed`, each `{ at, words }`, in place of the notes before. */
export function showNotes(view, listed) {
  const widgets = listed.map(({ at, words }) => Decoration.widget({ widget: new Note(words), side: 1 }).range(at));
  view.dispatch({ effects: put.of(Decoration.set(widgets, true)) });
}
