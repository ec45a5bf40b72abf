// What the agent wants, as bars in nats around zero; a grid is also drawn as one.
import { classes, html } from "./html.js";

export function Preferences({ shown }) {
  const { model, failure, isOld } = shown;
  if (!model) return html`<p class="hint">${failure || "Reading the preferences …"}</p>`;
  if (!model.preferences.length) return html`<p class="hint">Nothing is preferred, or the document is not valid yet: see Checks.</p>`;
  return html`<div class=${isOld ? "old" : ""}>${model.preferences.map((one) => html`<${Preference} key=${`${one.variable} ${one.on}`} preference=${one} />`)}</div>`;
}

const signed = (value) => (value > 0 ? `+${round(value)}` : `${round(value)}`.replace("-", "−"));
const round = (value) => Number(value.toPrecision(4));

function Preference({ preference }) {
  const { on, variable, labels, values, reason, shape } = preference;
  const most = Math.max(...values.map(Math.abs), 1e-9);
  // Bars begin at zero: what is unwanted leads to the left of it.
  const low = Math.min(0, ...values);
  const span = Math.max(0, ...values) - low || 1;
  const bar = (value) => ({ "--from": String((Math.min(value, 0) - low) / span), "--share": String(Math.abs(value) / span) });
  return html`<section class="preference" aria-label=${`Preference on ${on}`}>
    <h3>${on} <span class="hint">${variable}, in nats</span></h3>
    ${reason && html`<p class="hint">“${reason}”</p>`}
    ${shape.length === 2 && html`<div class="grid" aria-hidden="true" style=${{ "--columns": String(shape[1]) }}>
      ${values.map((value, i) => html`<span class=${classes("cell", value < 0 && "bad", Math.abs(value) / most > 0.55 && "strong")} style=${{ "--p": String(Math.abs(value) / most) }} title=${`${labels[i]}: ${signed(value)}`}></span>`)}</div>`}
    <div class="scroll tall" tabindex="0" role="region" aria-label=${`Utility of every label of ${on}`}>
      <table class="bars"><caption class="hidden">${`Utility of every label of ${on}, in nats`}</caption><tbody>
        ${labels.map((label, i) => html`<tr><th scope="row" title=${label}>${label}</th>
          <td class="bar-cell"><span class=${classes("bar", "from", values[i] < 0 && "minus")} style=${bar(values[i])}></span></td>
          <td class="number">${signed(values[i])}</td></tr>`)}
      </tbody></table></div>
  </section>`;
}
