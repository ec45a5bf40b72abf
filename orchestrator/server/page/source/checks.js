// Whether the model holds: four answers, every finding, every expectation, what the sentence asked.
import { Finding } from "./findings.js";
import { html } from "./html.js";
import { useStore } from "./store.js";
import { check, work } from "./work.js";
import { Verdicts } from "./verdicts.js";

export function Checks() {
  const { report, reportOf, document: text, busy, run } = useStore(work);
  const isOld = report && reportOf !== text;
  return html`
    ${report && html`<${Verdicts} report=${report} />`}
    <div class="row"><button type="button" onClick=${check} disabled=${Boolean(busy)}>${busy === "check" ? "Checking …" : "Check again"}</button>
      ${isOld && html`<span class="hint">The text has changed since it was checked.</span>`}
      ${!report && html`<span class="hint">Not checked yet.</span>`}</div>
    ${report && html`
      <h3>Findings</h3>
      ${report.diagnostics.length ? html`<ul class="findings">${report.diagnostics.map((one, i) => html`<${Finding} key=${i} finding=${one} />`)}</ul>` : html`<p class="hint">None.</p>`}
      ${report.repairs.length > 0 && html`<h3>Repaired when it was read</h3><ul class="findings">${report.repairs.map((one, i) => html`<${Finding} key=${i} finding=${one} isRepair />`)}</ul>`}
      <h3>Expectations</h3>
      ${report.behaviour.length ? html`<ul class="findings">${report.behaviour.map((line) => html`<${Expectation} line=${line} />`)}</ul>` : html`<p class="hint">None were named. Write them under “What it is held to”.</p>`}
      ${report.fits?.of > 0 && html`<h3>What the sentence asked for</h3><${Fits} fits=${report.fits} prompt=${run?.prompt ?? ""} />`}`}`;
}

function Expectation({ line }) {
  const [claim, ...rest] = line.split(": ");
  const words = rest.join(": ");
  const share = /measured (\d+(?:\.\d+)?)%/.exec(words);
  return html`<li class="expectation"><code>${claim}</code>
    ${share && html`<meter min="0" max="100" value=${share[1]} aria-label=${`measured ${share[1]} percent`}></meter>`}
    <span class=${words.startsWith("holds") ? "good-text" : "bad-text"}>${words}</span></li>`;
}

const OUTCOMES = { fulfilled: "good", missing: "bad", contradicted: "bad" };

function Fits({ fits }) {
  return html`<ul class="findings">${fits.commitments.map((one) => html`<li class="fit">
      <span class=${`chip ${OUTCOMES[one.outcome]}`}>${one.outcome}</span><span>“${one.said}” <span class="hint">${one.where}</span></span></li>`)}</ul>
    ${fits.not_understood.length > 0 && html`<p class="hint">Not understood: ${fits.not_understood.join(", ")}</p>`}`;
}
