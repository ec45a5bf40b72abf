// A table whose cells are shaded by their number: readable as a table, too.
import { useState } from "preact/hooks";
import { classes, html } from "./html.js";

const MOST_ROWS = 40;
const MOST_COLUMNS = 40;
const MOST_WITH_NUMBERS = 12; // columns; in more, numbers are shown on the cell under the pointer

/** A probability in few characters: .05, 1, 0 as a dot. */
export const short = (p) => (p === 0 ? "" : p >= 0.9995 ? "1" : p < 0.005 ? "<.01" : p.toFixed(2).replace(/^0/, ""));

export function HeatMap({ caption, corner, columns, rows }) {
  const [first, setFirst] = useState(0);
  const start = Math.min(first, Math.max(0, rows.length - 1));
  const part = rows.slice(start, start + MOST_ROWS);
  const at = mostUsed(columns.length, part);
  const isWide = at.length > MOST_WITH_NUMBERS;
  return html`<div class="scroll" role="region" aria-label=${caption} tabindex="0">
    <table class=${classes("heat", isWide && "dense")}>
      <caption class="hidden">${caption}</caption>
      <thead><tr><th scope="col" class="corner">${corner}</th>
        ${at.map((i) => html`<th scope="col" title=${columns[i]}><span>${columns[i]}</span></th>`)}<th scope="col" class="sum">sum</th></tr></thead>
      <tbody>${part.map((row) => html`<tr><th scope="row" title=${row.label}>${row.label}</th>
        ${at.map((i) => html`<${Cell} p=${row.values[i]} isWide=${isWide} title=${`${row.label ? `${row.label} → ` : ""}${columns[i]}: ${row.values[i]}`} />`)}
        <${Sum} value=${row.sum} /></tr>`)}</tbody>
    </table></div>
    ${columns.length > at.length && html`<p class="hint">${at.length} of ${columns.length} columns are shown: those that matter most in these rows.</p>`}
    ${rows.length > MOST_ROWS && html`<div class="row pager"><button type="button" disabled=${start === 0} onClick=${() => setFirst(start - MOST_ROWS)}>Rows before</button>
      <span class="hint">${start + 1} to ${Math.min(rows.length, start + MOST_ROWS)} of ${rows.length}</span>
      <button type="button" disabled=${start + MOST_ROWS >= rows.length} onClick=${() => setFirst(start + MOST_ROWS)}>Rows after</button></div>`}`;
}

/** The columns to show: of many those that have most in these rows, in their order. */
function mostUsed(count, rows) {
  const all = Array.from({ length: count }, (_, i) => i);
  if (count <= MOST_COLUMNS) return all;
  const most = all.map((i) => Math.max(...rows.map((row) => row.values[i])));
  return all.sort((a, b) => most[b] - most[a] || a - b).slice(0, MOST_COLUMNS).sort((a, b) => a - b);
}

function Cell({ p, isWide, title }) {
  const shade = Math.max(0, Math.min(1, p));
  const style = { "--p": String(shade) };
  return html`<td class=${classes("cell", shade > 0.55 && "strong", p < 0 && "wrong")} style=${style} title=${title}>${isWide ? html`<span class="hidden">${short(p) || 0}</span>` : short(p)}</td>`;
}

function Sum({ value }) {
  const isOne = Math.abs(value - 1) <= 1e-6;
  return html`<td class=${classes("sum", !isOne && "wrong")} title=${isOne ? "" : `this row sums to ${value}, not to 1`}>${isOne ? "1" : value.toFixed(3)}</td>`;
}
