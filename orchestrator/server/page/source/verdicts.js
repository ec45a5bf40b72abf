// The four answers about a model, kept apart: valid, runs, behaves, fits.
import { html } from "./html.js";

const WORDS = { true: ["good", "yes"], false: ["bad", "no"] };

export function Verdicts({ report }) {
  const { fits } = report;
  const said = [["valid", report.valid], ["runs", report.runs], ["behaves", report.behaves]];
  return html`<dl class="verdicts" aria-label="Verdict">
    ${said.map(([name, held]) => {
      const [kind, words] = WORDS[held] ?? ["", "not asked"];
      return html`<div class=${kind}><dt>${name}</dt><dd>${words}</dd></div>`;
    })}
    <div class=${fits?.of ? (fits.fulfilled === fits.of ? "good" : "bad") : ""}><dt>fits the sentence</dt><dd>${fits?.of ? `${fits.fulfilled} of ${fits.of}` : "nothing to compare"}</dd></div>
  </dl>`;
}
