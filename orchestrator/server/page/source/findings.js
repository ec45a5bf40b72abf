// Findings of a document, each with its line, and what would repair it.
import { goTo } from "./goto.js";
import { html } from "./html.js";

export function Finding({ finding, isRepair = false, actions = [], onFix }) {
  const { code, severity, message, line, column, fix } = finding;
  return html`<li class=${`finding ${isRepair ? "repair" : severity}`}>
    <span class="code">${code}</span>
    <span>${isRepair ? "repaired: " : ""}${message}${fix ? html` <em class="hint">${fix.says}</em>` : ""}
      ${line && html` <button type="button" class="link" onClick=${() => goTo(line, column)}>line ${line}</button>`}
      ${actions.map((action) => html` <button type="button" class="small" onClick=${() => onFix(action)}>Fix: ${action.name.replace(/^GMN\d+: /, "")}</button>`)}</span>
  </li>`;
}
