// The first tab: a sentence, the loop, the text, and views of the model.
import { useEffect, useState } from "preact/hooks";
import { call } from "./api.js";
import { Checks } from "./checks.js";
import { Compare } from "./compare.js";
import { Composer } from "./composer.js";
import { Graph } from "./graph.js";
import { html } from "./html.js";
import { Loop } from "./loop.js";
import { Preferences } from "./preferences.js";
import { Simulation } from "./simulation.js";
import { useStore } from "./store.js";
import { Tables } from "./tables.js";
import { TabList, TabPanel } from "./tabs.js";
import { TextCard } from "./text_card.js";
import { work } from "./work.js";

export function ModelTab() {
  const { document: text, report, view, versions } = useStore(work);
  const shown = useTables(text);
  const count = report?.diagnostics.filter((one) => one.severity === "error").length ?? 0;
  const tabs = [
    { id: "graph", label: "Graph", Part: Graph }, { id: "tables", label: "Tables", Part: Tables },
    { id: "wants", label: "Preferences", Part: Preferences }, { id: "simulation", label: "Simulation", Part: Simulation },
    { id: "checks", label: "Checks", Part: Checks, count }, ...(versions.length > 1 ? [{ id: "compare", label: "Compare", Part: Compare }] : []),
  ];
  const active = tabs.some((tab) => tab.id === view) ? view : "graph";
  return html`<div class=${text ? "model" : "model start"}>
    <div class="left">
      ${!text && html`<div class="welcome"><h2>From a sentence to a model that runs</h2>
        <p>Describe an agent. You get the generative model of an active-inference agent: checked, simulated, and yours to edit.</p></div>`}
      <${Composer} /><${Loop} />
      ${text && html`<${TextCard} />`}
    </div>
    ${text && html`<section class="right card" aria-label="Views of the model">
      <${TabList} label="Views of the model" name="view" tabs=${tabs} active=${active} onChoose=${(id) => work.set({ view: id })} />
      ${tabs.map(({ id, Part }) => html`<${TabPanel} key=${id} name="view" id=${id} active=${active}>
        ${id === active && html`<${Part} text=${text} shown=${shown} />`}</${TabPanel}>`)}
    </section>`}
  </div>`;
}

/** Tables and preferences of the text, asked for when it has not changed for a moment. */
function useTables(text) {
  const [shown, show] = useState({ model: null, failure: "", isOld: false });
  useEffect(() => {
    if (!text.trim()) return undefined;
    const ending = new AbortController();
    show((now) => ({ ...now, isOld: true }));
    const timer = setTimeout(async () => {
      try {
        const model = await call("/api/gmn/tables", { document: text }, { signal: ending.signal });
        show({ model, failure: "", isOld: false, of: text });
      } catch (failure) {
        if (failure.name !== "AbortError") show((now) => ({ ...now, failure: failure.message, isOld: true }));
      }
    }, 300);
    return () => (clearTimeout(timer), ending.abort());
  }, [text]);
  return shown;
}

