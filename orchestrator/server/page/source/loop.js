// The loop, live: what was asked, what came, what was found and repaired, and what it cost.
import { useEffect, useRef } from "preact/hooks";
import { Finding } from "./findings.js";
import { html } from "./html.js";
import { Verdicts } from "./verdicts.js";
import { inWords } from "./run.js";
import { useStore } from "./store.js";
import { take, work } from "./work.js";

export function Loop() {
  const { run, failure } = useStore(work);
  if (!run) return failure ? html`<p class="card problem" role="alert">${failure}</p>` : null;
  const best = run.state === "failed" && [...run.attempts].reverse().find((one) => one.text && isWhole(one));
  return html`<section class="card loop" aria-label="Progress">
    <ol>${run.attempts.map((one, i) => html`<${Attempt} key=${i} attempt=${one} number=${i + 1} isOpen=${run.state === "running" && i === run.attempts.length - 1} />`)}</ol>
    <p role="status" class=${run.state === "failed" ? "problem" : "hint"}>${run.state === "interrupted" || run.state === "stopped" ? "It was stopped before it was done. Ask again: what was answered is in the cache and is not paid twice." : inWords(run)}</p>
    ${failure && failure !== run.error && html`<p class="problem" role="alert">${failure}</p>`}
    ${best && html`<button type="button" onClick=${() => take(best.text, "last answer")}>Open the last answer in the editor</button>`}
    ${run.result && html`<${Result} result=${run.result} />`}
  </section>`;
}

/** Whether an attempt answers one small question, of a model that is asked in stages. */
const isQuestion = (attempt) => attempt.name.startsWith("staged");

/** Whether an attempt answers with a document, and not with a patch or with one small part. */
const isWhole = (attempt) => !isQuestion(attempt) && !attempt.name.startsWith("patch");

function Attempt({ attempt, number, isOpen }) {
  const { report } = attempt;
  const errors = report?.diagnostics.filter((one) => one.severity === "error") ?? [];
  return html`<li class="attempt">
    <div class="row"><strong>${number}</strong> <span>${attempt.name.replace(/ \d+$/, "")}</span>
      ${report && html`<span class=${errors.length ? "chip bad" : "chip good"}>${errors.length ? `${errors.length} ${errors.length === 1 ? "error" : "errors"}` : isQuestion(attempt) ? "answered" : "holds"}</span>`}
      ${report?.repairs.length ? html`<span class="chip">${report.repairs.length} repaired</span>` : ""}</div>
    ${isOpen && attempt.text && html`<${Tail} text=${attempt.text} />`}
    ${report && html`<ul class="findings">
      ${errors.slice(0, 5).map((one) => html`<${Finding} finding=${one} />`)}
      ${report.repairs.slice(0, 5).map((one) => html`<${Finding} finding=${one} isRepair />`)}</ul>`}
  </li>`;
}

/** The end of an answer while it comes. */
function Tail({ text }) {
  const box = useRef(null);
  useEffect(() => void (box.current.scrollTop = box.current.scrollHeight), [text]);
  return html`<pre class="tail" ref=${box} aria-hidden="true">${text}</pre>`;
}

function Result({ result }) {
  const { usage, cost_usd: cost, provider, model, cached } = result;
  const price = cost === null ? "price not known" : cached ? "from the cache, 0 USD" : `${cost.toFixed(cost && cost < 0.01 ? 6 : 2)} USD`;
  const assumed = result.spec?.metadata?.find?.((one) => one.key === "assumptions")?.value;
  return html`<${Verdicts} report=${result.report} />
    <p class="hint">${provider === "offline" ? "by the embedded provider, from curated models" : `${provider}, ${model}`} · ${usage.prompt_tokens.toLocaleString("en")} tokens asked, ${usage.completion_tokens.toLocaleString("en")} answered · ${price}</p>
    ${assumed && html`<p class="hint">Assumed: ${assumed}</p>`}`;
}
