// The text in CodeMirror. It stands in a shadow root, whose styles need no exception in the policy.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "preact/hooks";
import { theme } from "./editor_theme.js";
import { gmn } from "./gmn_language.js";
import { showPlacesWith } from "./goto.js";
import { html } from "./html.js";

const EXTENSIONS = [
  lineNumbers(), history(), drawSelection(), bracketMatching(), closeBrackets(), indentOnInput(), foldGutter(),
  highlightActiveLine(), autocompletion(), lintGutter(), gmn, theme, EditorView.lineWrapping,
  // Tab leaves the editor, as it leaves every field; Ctrl-] and Ctrl-[ indent.
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap]),
  EditorView.contentAttributes.of({ "aria-label": "Text of the model, in GMN", spellcheck: "false" }),
];

export function Editor({ text, findings, onEdit }) {
  const host = useRef(null);
  const view = useRef(null);
  const edited = useRef(onEdit);
  edited.current = onEdit;
  useEffect(() => {
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const tell = EditorView.updateListener.of((update) => update.docChanged && edited.current(update.state.doc.toString()));
    view.current = new EditorView({ root, parent: root, state: EditorState.create({ doc: text, extensions: [EXTENSIONS, tell] }) });
    showPlacesWith((line, column) => place(view.current, line, column));
    return () => view.current.destroy();
  }, []);
  useEffect(() => {
    const { doc } = view.current.state;
    if (doc.toString() !== text) view.current.dispatch({ changes: { from: 0, to: doc.length, insert: text } });
  }, [text]);
  useEffect(() => {
    const { state } = view.current;
    view.current.dispatch(setDiagnostics(state, findings.filter((one) => one.line).map((one) => shown(state, one))));
  }, [findings]);
  return html`<div class="editor" ref=${host}></div>`;
}

function offset(state, line, column) {
  const found = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
  return Math.min(found.to, found.from + column - 1);
}

function shown(state, { line, column, severity, message, code }) {
  const from = offset(state, line, column ?? 1);
  return { from, to: state.doc.lineAt(from).to, severity, message, source: code };
}

function place(view, line, column) {
  const at = offset(view.state, line, column);
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
  view.focus();
}
