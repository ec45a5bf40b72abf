// This version against one before it: what it says otherwise, and does otherwise.
import { useEffect, useState } from "preact/hooks";
import { call } from "./api.js";
import { html } from "./html.js";
import { lineDiff } from "./line_diff.js";
import { useStore } from "./store.js";
import { open, work } from "./work.js";

export function Compare({ text }) {
  const { versions } = useStore(work);
  const before = versions.filter((one) => one.text !== text);
  const [at, choose] = useState(null);
  const chosen = before.find((one) => one.at === at) ?? before.at(-1);
  const [found, setFound] = useState({ failure: "", differences: null });
  useEffect(() => {
    if (!chosen) return undefined;
    const ending = new AbortController();
    call("/api/gmn/diff", { before: chosen.text, document: text }, { signal: ending.signal }).then(
      (answer) => setFound({ failure: "", ...answer }),
      (failure) => failure.name !== "AbortError" && setFound({ failure: failure.message, differences: null }),
    );
    return () => ending.abort();
  }, [chosen?.at, text]);
  if (!chosen) return html`<p class="hint">There is one version so far. After an edit or a refinement it is compared with this one.</p>`;
  return html`<div class="row"><label class="inline">Compare with
      <select value=${chosen.at} onChange=${(e) => choose(Number(e.target.value))}>
        ${[...before].reverse().map((one) => html`<option value=${one.at}>${new Date(one.at).toLocaleTimeString()} · ${one.label}</option>`)}</select></label>
      <button type="button" onClick=${() => open(chosen.text, chosen.label)}>Go back to it</button></div>
    ${found.failure && html`<p class="problem">${found.failure}</p>`}
    ${found.differences && html`<h3>What it says otherwise</h3>
      ${found.same ? html`<p class="hint">Nothing: the same model.</p>` : html`<ul class="findings">${found.differences.map((line) => html`<li>${line}</li>`)}</ul>`}
      ${found.behaviour && html`<h3>Over the same observations</h3><p>${found.behaviour}</p>`}`}
    <h3>Lines of the text</h3>
    <pre class="diff" tabindex="0" aria-label="Lines that were removed and added">${lineDiff(chosen.text, text).map(([mark, line]) => html`<span class=${mark === "+" ? "added" : mark === "-" ? "removed" : ""}>${mark} ${line}\n</span>`)}</pre>`;
}
