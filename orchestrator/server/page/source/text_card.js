// The text of the model: edited, checked, changed in words, downloaded.
import { useState } from "preact/hooks";
import { Downloads } from "./downloads.js";
import { Editor } from "./editor.js";
import { html } from "./html.js";
import { useStore } from "./store.js";
import { check, refine, stop, work } from "./work.js";

export function TextCard() {
  const { document: text, report, reportOf, busy } = useStore(work);
  const isChecked = report && reportOf === text;
  const state = !isChecked ? "not checked" : report.valid ? "valid" : "not valid";
  return html`<section class="card text" aria-label="Text of the model">
    <div class="row head"><h2>Text</h2><span class=${`chip ${isChecked ? (report.valid ? "good" : "bad") : ""}`}>${state}</span><span class="gap"></span>
      <button type="button" onClick=${check} disabled=${Boolean(busy)}>${busy === "check" ? "Checking …" : "Check"}</button><${Downloads} /></div>
    <${Editor} text=${text} findings=${isChecked ? report.diagnostics : []} onEdit=${(changed) => work.set({ document: changed })} />
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
