// What the agent believes after it has looked: bars, or the grid where the states are one.
import { classes, html } from "./html.js";
import { short } from "./heatmap.js";

const MOST_BARS = 12;

export function Beliefs({ step, model }) {
  if (!step.posterior) return null;
  return html`<div class="beliefs">${Object.entries(step.posterior).map(([name, belief]) => {
    const shape = model?.states.find((one) => one.name === name)?.shape ?? [];
    const Shown = shape.length === 2 && Math.min(...shape) > 1 && shape[1] <= 24 ? Grid : Bars;
    return html`<section aria-label=${`Belief about ${name}`}><h3>believes of ${name}</h3>
      <${Shown} name=${name} belief=${belief} shape=${shape} truth=${step.state[name]} /></section>`;
  })}</div>`;
}

function Bars({ name, belief, truth }) {
  let entries = Object.entries(belief);
  const all = entries.length;
  if (all > MOST_BARS) {
    const likely = new Set([...entries].sort((a, b) => b[1] - a[1]).slice(0, MOST_BARS).map(([label]) => label));
    entries = entries.filter(([label]) => likely.has(label) || label === truth);
  }
  return html`<table class="bars"><caption class="hidden">${`Belief about ${name}`}</caption><tbody>${entries.map(([label, p]) => html`<tr class=${label === truth ? "truth" : ""}>
      <th scope="row" title=${label}>${label}${label === truth ? html`<span class="hidden"> (the truth)</span>` : ""}</th>
      <td class="bar-cell"><span class="bar" style=${{ "--share": String(p) }}></span></td>
      <td class="number">${percent(p)}</td></tr>`)}</tbody></table>
    ${all > entries.length && html`<p class="hint">The ${entries.length} most probable of ${all}.</p>`}`;
}

function Grid({ name, belief, shape, truth }) {
  const entries = Object.entries(belief);
  const best = entries.reduce((a, b) => (b[1] > a[1] ? b : a));
  return html`<div class="grid" role="img" style=${{ "--columns": String(shape[1]) }}
      aria-label=${`Belief about ${name}: most probable ${best[0]} with ${percent(best[1])}; in truth ${truth ?? "not known"}`}>
    ${entries.map(([label, p]) => html`<span class=${classes("cell", p > 0.55 && "strong", label === truth && "truth")} style=${{ "--p": String(p) }} title=${`${label}: ${percent(p)}`}>${shape[1] <= 10 ? short(p) : ""}</span>`)}</div>
    <p class="hint">${best[0]} ${percent(best[1])}${truth ? ` · framed: the truth, ${truth}` : ""}</p>`;
}

const percent = (p) => (p > 0 && p < 0.005 ? "<1%" : `${Math.round(p * 100)}%`);
