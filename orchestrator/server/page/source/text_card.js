// The text of the model: edited, checked, changed in words, downloaded.
import { useRef, useState } from "preact/hooks";
import { Downloads } from "./downloads.js";
import { Editor } from "./editor.js";
import { Finding } from "./findings.js";
import { html } from "./html.js";
import { format } from "./lsp_editor.js";
import { useStore } from "./store.js";
import { check, refine, stop, work } from "./work.js";

const MOST_LISTED = 8;

export function TextCard() {
  const { document: text, revision, busy } = useStore(work);
  const [findings, setFindings] = useState(null);
  const [isConnected, setConnected] = useState(true);
  const view = useRef(null);
  const errors = findings?.filter((one) => one.severity === "error").length;
  const state = findings === null ? "reading …" : errors ? `${errors} ${errors === 1 ? "error" : "errors"}` : "valid";
  return html`<section class="card text" aria-label="Text of the model">
    <div class="row head"><h2>Text</h2>
      ${isConnected ? html`<span role="status" class=${`chip ${findings ? (errors ? "bad" : "good") : ""}`}>${state}</span>` : html`<span role="status" class="chip bad">not connected; trying again</span>`}<span class="gap"></span>
      <button type="button" onClick=${() => format(view.current)}>Format</button>
      <button type="button" onClick=${check} disabled=${Boolean(busy)}>${busy === "check" ? "Checking …" : "Check"}</button><${Downloads} /></div>
    <${Editor} text=${text} revision=${revision} onEdit=${(changed) => work.set({ document: changed })} onFindings=${setFindings} onState=${setConnected} onView=${(made) => (view.current = made)} />
    ${findings?.length > 0 && html`<ul class="findings" aria-label="Findings in the text">
      ${findings.slice(0, MOST_LISTED).map((one, i) => html`<${Finding} key=${i} finding=${{ ...one, code: one.source }} actions=${one.actions} onFix=${one.apply} />`)}
      ${findings.length > MOST_LISTED && html`<li class="hint">and ${findings.length - MOST_LISTED} more, marked in the text</li>`}</ul>`}
    <${Refine} />
  </section>`;
}

function Refine() {
  const { busy } = useStore(work);
  const [feedback, say] = useState("");
  const submit = (event) => (event.preventDefault(), feedback.trim() && refine(feedback.trim()));
  return html`<form class="row refine" onSubmit=${submit}>
    <label for="feedback" class="hidden">Say what to change</label>
    <input id="feedback" value=${feedback} onInput=${(e) => say(e.target.value)} placeholder="Say what to change: make the sensor noisier …" maxlength="32768" />
    ${busy === "refine" ? html`<button type="button" onClick=${stop}>Stop</button>`
      : html`<button type="submit" disabled=${!feedback.trim() || Boolean(busy)}>Refine</button>`}
  </form>`;
}
