// The language server in the editor: findings with quick fixes, completion, hover, formatting.
import { autocompletion, insertCompletionText, pickedCompletion } from "@codemirror/autocomplete";
import { setDiagnostics } from "@codemirror/lint";
import { EditorView, hoverTooltip, keymap, showDialog } from "@codemirror/view";
import { ADDRESS, LanguageClient } from "./lsp.js";
import { notes, showNotes } from "./notes.js";

const SEVERITIES = ["", "error", "warning", "info", "hint"];
const KINDS = { 5: "property", 6: "variable", 7: "class", 10: "property", 12: "constant", 13: "enum", 14: "keyword", 20: "enum", 21: "constant" };
const MOST_FIXES = 50; // findings whose fixes are asked for
const MOST_LENSES = 12;

const place = (doc, at) => {
  const line = doc.lineAt(at);
  return { line: line.number - 1, character: at - line.from };
};
const offset = (doc, { line, character }) => {
  if (line >= doc.lines) return doc.length;
  const found = doc.line(line + 1);
  return Math.min(found.to, found.from + character);
};

/** Edits of the server as changes of the editor. */
const changes = (doc, edits) => edits.map((one) => ({ from: offset(doc, one.range.start), to: offset(doc, one.range.end), insert: one.newText }));

/** The edits of an action or a rename for our document. */
export function editsOf(edit) {
  const listed = edit?.changes?.[ADDRESS] ?? edit?.documentChanges?.flatMap((one) => one.edits ?? []) ?? [];
  return listed;
}

/** Connect a view; `onFindings` gets what to list beside the editor. Returns what ends it. */
export function connect(view, { onFindings, onState }) {
  const client = new LanguageClient({
    text: view.state.doc.toString(), onState,
    onFindings: (found, version) => showFindings(view, client, found, version, onFindings),
  });
  clients.set(view, client);
  return () => (clients.delete(view), client.end());
}

const clients = new WeakMap();

async function showFindings(view, client, found, version, onFindings) {
  const doc = view.state.doc;
  const part = found.slice(0, MOST_FIXES);
  const range = { start: { line: 0, character: 0 }, end: place(doc, doc.length) };
  const put = (actions) => {
    if (client.version !== version) return;
    const listed = found.map((one) => shown(view.state.doc, one, actions.filter((action) => fixes(action, one)))).sort((a, b) => a.from - b.from || a.to - b.to);
    view.dispatch(setDiagnostics(view.state, listed));
    onFindings(listed.map((one) => ({ ...one, line: view.state.doc.lineAt(one.from).number, column: one.from - view.state.doc.lineAt(one.from).from + 1, apply: (action) => action.apply(view) })));
  };
  put([]);
  addNotes(view, client, version, range);
  if (!part.length) return;
  const actions = await client.ask("codeActionProvider", "textDocument/codeAction", { range, context: { diagnostics: part } });
  if (actions?.length) put(actions);
}

/** Sizes and sums at once; how often expectations hold when that was measured. */
async function addNotes(view, client, version, range) {
  const { doc } = view.state;
  const hints = (await client.ask("inlayHintProvider", "textDocument/inlayHint", { range })) ?? [];
  const listed = hints.map((one) => ({ at: offset(doc, one.position), words: typeof one.label === "string" ? one.label : one.label.map((part) => part.value).join("") }));
  if (client.version !== version) return;
  showNotes(view, listed);
  const lenses = (await client.ask("codeLensProvider", "textDocument/codeLens", {})) ?? [];
  for (const lens of lenses.slice(0, MOST_LENSES)) {
    const found = lens.command ? lens : await client.ask("codeLensProvider", "codeLens/resolve", lens);
    if (client.version !== version) return;
    if (!found?.command) continue;
    listed.push({ at: doc.lineAt(offset(doc, lens.range.end)).to, words: found.command.title });
    showNotes(view, listed);
  }
}

const same = (a, b) => a.code === b.code && a.message === b.message && a.range.start.line === b.range.start.line && a.range.start.character === b.range.start.character;
const fixes = (action, one) => action.edit && (action.diagnostics ?? []).some((other) => same(other, one));

function shown(doc, one, actions) {
  const from = offset(doc, one.range.start);
  const ranked = [...actions].sort((a, b) => Number(b.isPreferred ?? false) - Number(a.isPreferred ?? false));
  return {
    from, to: Math.max(from, offset(doc, one.range.end)), severity: SEVERITIES[one.severity ?? 1], message: one.message, source: String(one.code ?? ""),
    actions: ranked.slice(0, 3).map((action) => ({
      name: action.title,
      apply: (view) => (view.dispatch({ changes: changes(view.state.doc, editsOf(action.edit)), userEvent: "input.fix" }), view.focus()),
    })),
  };
}

async function complete(context) {
  const client = clients.get(context.view);
  const word = context.matchBefore(/[\p{L}\w.+@-]*/u);
  if (!client || (!context.explicit && !word?.text && !/[:\[,{ ]$/.test(context.state.sliceDoc(Math.max(0, context.pos - 1), context.pos)))) return null;
  const { doc } = context.state;
  const answer = await client.ask("completionProvider", "textDocument/completion", { position: place(doc, context.pos) });
  const items = Array.isArray(answer) ? answer : answer?.items ?? [];
  if (context.aborted || !items.length) return null;
  return { from: word?.from ?? context.pos, options: items.map((item) => option(doc, item)), validFor: /^[\p{L}\w.+@-]*$/u };
}

function option(doc, item) {
  const text = item.textEdit?.newText ?? item.insertText ?? item.label;
  const range = item.textEdit?.range;
  const from = range && offset(doc, range.start);
  return {
    label: item.label, detail: item.detail, type: KINDS[item.kind],
    info: typeof item.documentation === "string" ? item.documentation : item.documentation?.value,
    apply: (view, completion, start, end) => view.dispatch({
      ...insertCompletionText(view.state, text, from === undefined ? start : Math.min(from, start), end), annotations: pickedCompletion.of(completion) }),
  };
}

const hover = hoverTooltip(async (view, at) => {
  const answer = await clients.get(view)?.ask("hoverProvider", "textDocument/hover", { position: place(view.state.doc, at) });
  const said = answer?.contents;
  const words = typeof said === "string" ? said : said?.value;
  if (!words) return null;
  const [from, to] = answer.range ? [offset(view.state.doc, answer.range.start), offset(view.state.doc, answer.range.end)] : [at, at];
  return { pos: from, end: to, above: true, create: () => {
    const dom = document.createElement("div");
    dom.className = "said-of-it";
    dom.textContent = words;
    return { dom };
  } };
});

/** Write the text in its canonical layout. */
export async function format(view) {
  const edits = await clients.get(view)?.ask("documentFormattingProvider", "textDocument/formatting", { options: { tabSize: 2, insertSpaces: true } });
  if (edits?.length) view.dispatch({ changes: changes(view.state.doc, edits), userEvent: "input.format" });
}

/** Ask for a name, and give it to what stands at the cursor, everywhere. */
async function rename(view) {
  const position = place(view.state.doc, view.state.selection.main.head);
  const form = await showDialog(view, { label: "New name", input: { name: "name", type: "text" }, focus: true, submitLabel: "Rename" }).result;
  const newName = form?.elements.namedItem("name").value.trim();
  if (!newName) return view.focus();
  const edits = editsOf(await clients.get(view)?.ask("renameProvider", "textDocument/rename", { position, newName }));
  if (edits.length) view.dispatch({ changes: changes(view.state.doc, edits), userEvent: "input.rename" });
  else showDialog(view, { label: `Nothing at the cursor can be called ${newName}.` });
  view.focus();
}

export const languageServer = [
  autocompletion({ override: [complete], activateOnTyping: true, icons: false }), hover, notes,
  EditorView.updateListener.of((update) => update.docChanged && clients.get(update.view)?.change(update.state.doc.toString())),
  keymap.of([{ key: "Shift-Alt-f", run: (view) => (format(view), true) }, { key: "F2", run: (view) => (rename(view), true) }]),
];
