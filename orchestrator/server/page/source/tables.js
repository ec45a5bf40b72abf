// Tables as heat maps: a row for each context, a column for each value, and the sum of the row.
import { useEffect, useState } from "preact/hooks";
import { call } from "./api.js";
import { HeatMap } from "./heatmap.js";
import { html } from "./html.js";

const PART = 40; // rows of a large table that are asked for at once
const TITLES = { likelihood: "what is observed", transition: "what changes", prior: "where it starts" };

export function Tables({ text, shown }) {
  const { model, failure, isOld } = shown;
  if (!model) return html`<p class="hint">${failure || "Reading the tables …"}</p>`;
  return html`<div class=${isOld ? "old" : ""}>
    ${failure && html`<p class="problem">${failure} Shown is the text before.</p>`}
    ${!model.tables.length && html`<p class="hint">The document has no tables.</p>`}
    ${model.tables.map((table) => html`<${Table} key=${`${table.table} ${table.of}`} table=${table} model=${model} text=${shown.of ?? text} />`)}
  </div>`;
}

function Table({ table, model, text }) {
  const variables = Object.fromEntries([...model.states, ...model.observations, ...model.actions].map((one) => [one.name, one]));
  // What stands at the rows: the value before, else the first parent. The others are chosen.
  const axis = table.given.includes(table.of) ? table.of : table.given[0];
  const others = table.given.filter((name) => name !== axis);
  const [chosen, choose] = useState({});
  const fixed = Object.fromEntries(others.map((name) => [name, valid(chosen[name], variables[name])]));
  const [first, setFirst] = useState(0);
  const part = usePart(table, fixed, text, first);
  const rows = part.rows.filter((row) => others.every((name) => row.given[name] === fixed[name]));
  return html`<section class="table" aria-label=${`${table.table} of ${table.of}`}>
    <h3>${formula(table)} <span class="hint">${TITLES[table.table]}</span></h3>
    ${table.problem && html`<p class="problem">${table.problem}</p>`}
    ${others.length > 0 && html`<div class="row">${others.map((name) => html`<label class="inline">${name}
      <select value=${fixed[name]} onChange=${(e) => (setFirst(0), choose({ ...chosen, [name]: e.target.value }))}>
        ${variables[name]?.labels.map((label) => html`<option value=${label}>${label}</option>`)}</select></label>`)}</div>`}
    ${rows.length > 0 && html`<${HeatMap} caption=${`${formula(table)}${others.length ? `, ${others.map((name) => `${name}=${fixed[name]}`).join(", ")}` : ""}`}
      columns=${table.columns} corner=${axis ?? ""} rows=${rows.map((row) => ({ label: row.given[axis] ?? "", values: row.values, sum: row.sum }))} />`}
    ${(part.left > 0 || first > 0) && html`<div class="row pager">
      <button type="button" disabled=${first === 0} onClick=${() => setFirst(Math.max(0, first - PART))}>Part before</button>
      <button type="button" disabled=${part.left === 0} onClick=${() => setFirst(first + PART)}>Next part</button>
      <span class="hint">from row ${first + 1}; ${part.left.toLocaleString("en")} more after these</span></div>`}
  </section>`;
}

const valid = (label, variable) => (variable?.labels.includes(label) ? label : variable?.labels[0] ?? "");
const formula = ({ of, given }) => `P(${of}${given.length ? ` | ${given.join(", ")}` : ""})`;

/** The rows of a table for these labels; a table that came whole is cut here, else they are asked for. */
function usePart(table, fixed, text, first) {
  const [part, setPart] = useState({ rows: table.rows, left: table.rows_left_out });
  const wanted = JSON.stringify(fixed);
  useEffect(() => {
    if (!table.rows_left_out) return void setPart({ rows: table.rows, left: 0 });
    const ending = new AbortController();
    call("/api/gmn/tables", { document: text, of: table.of, table: table.table, labels: fixed, first }, { signal: ending.signal })
      .then(({ tables: [found] }) => setPart({ rows: found.rows.slice(0, PART), left: found.rows_left_out + Math.max(0, found.rows.length - PART) }), () => {});
    return () => ending.abort();
  }, [table, wanted, first]);
  return table.rows_left_out ? part : { rows: table.rows, left: 0 };
}
