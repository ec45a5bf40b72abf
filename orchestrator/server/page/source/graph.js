// The model as a graph: the picture that `orchestrator draw` makes too.
import { html } from "./html.js";

export function Graph({ shown }) {
  const { model } = shown;
  if (!model) return html`<p class="hint">${shown.failure || "Drawing …"}</p>`;
  const parts = [["Actions", model.actions], ["Hidden states", model.states], ["Observations", model.observations]];
  return html`<div class="columns">${parts.map(([title, variables]) => html`<div><h3>${title}</h3>
    ${variables.map((one) => html`<p class="node"><strong>${one.name}</strong> <span class="hint">${one.shape.length ? one.shape.join(" × ") : `${one.size} labels`}</span></p>`)}</div>`)}</div>`;
}
