// The text in CodeMirror. It stands in a shadow root, whose styles need no exception in the policy.
import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "preact/hooks";
import { theme } from "./editor_theme.js";
import { gmn } from "./gmn_language.js";
import { showPlacesWith } from "./goto.js";
import { html } from "./html.js";
import { connect, languageServer } from "./lsp_editor.js";

// A tooltip of a mark would close under the pointer: outside of a shadow root nobody sees what is
// inside, and the library looks from there. That of the marked text does not.
const MARKS = lintGutter({ tooltipFilter: () => [] });
const EXTENSIONS = [
  lineNumbers(), history(), drawSelection(), bracketMatching(), closeBrackets(), indentOnInput(), foldGutter(),
  highlightActiveLine(), MARKS, gmn, theme, EditorView.lineWrapping, languageServer,
  // Tab leaves the editor, as it leaves every field; Ctrl-] and Ctrl-[ indent.
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap]),
  EditorView.contentAttributes.of({ "aria-label": "Text of the model, in GMN", spellcheck: "false", tabindex: "0" }),
];

export function Editor({ text, revision, onEdit, onFindings, onState, onView }) {
  const host = useRef(null);
  const view = useRef(null);
  const edited = useRef(onEdit);
  edited.current = onEdit;
  useEffect(() => {
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const tell = EditorView.updateListener.of((update) => update.docChanged && edited.current(update.state.doc.toString()));
    const made = new EditorView({ root, parent: root, state: EditorState.create({ doc: text, extensions: [EXTENSIONS, tell] }) });
    view.current = made;
    onView(made);
    showPlacesWith((line, column) => goTo(made, line, column));
    const leave = connect(made, { onFindings, onState });
    return () => (leave(), made.destroy());
  }, []);
  useEffect(() => {
    const { doc } = view.current.state;
    if (doc.toString() !== text) view.current.dispatch({ changes: { from: 0, to: doc.length, insert: text } });
  }, [revision]); // what was typed is in the editor already, and may be ahead of `text`
  return html`<div class="editor" ref=${host}></div>`;
}

function goTo(view, line, column) {
  const found = view.state.doc.line(Math.min(Math.max(1, line), view.state.doc.lines));
  const at = Math.min(found.to, found.from + column - 1);
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
  view.focus();
}
