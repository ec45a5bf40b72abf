// Where a model begins: a sentence, and what the model is held to.
import { useEffect, useState } from "preact/hooks";
import { call } from "./api.js";
import { html } from "./html.js";
import { useStore } from "./store.js";
import { generate, open, stop, work } from "./work.js";

const TYPES = ["general", "explorer", "trader", "coordinator"];
const EXAMPLE = "a cautious explorer for a 5x5 grid who must reach the corner";

export function Composer() {
  const { prompt, expectations, agentType, model, busy } = useStore(work);
  const [routes, setRoutes] = useState([]);
  useEffect(() => void call("/api/models").then((found) => setRoutes(Object.keys(found.routes)), () => {}), []);
  const submit = (event) => (event.preventDefault(), prompt.trim() && generate());
  const onKey = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && submit(event);
  return html`<form class="card composer" onSubmit=${submit}>
    <label for="prompt">Describe an agent</label>
    <textarea id="prompt" rows="2" maxlength="32768" value=${prompt} placeholder=${EXAMPLE} onKeyDown=${onKey}
      onInput=${(e) => work.set({ prompt: e.target.value })}></textarea>
    <details>
      <summary>What it is held to</summary>
      <div class="fields">
        <label class="wide">Expectations, one a line
          <textarea rows="2" value=${expectations} placeholder="cell=r4c4 within 14 in 80%" spellcheck=${false}
            onInput=${(e) => work.set({ expectations: e.target.value })}></textarea></label>
        <label>Type of agent
          <select value=${agentType} onChange=${(e) => work.set({ agentType: e.target.value })}>
            ${TYPES.map((one) => html`<option value=${one}>${one}</option>`)}</select></label>
        <label>Route
          <select value=${model} onChange=${(e) => work.set({ model: e.target.value })}>
            <option value="">default</option>
            ${routes.filter((one) => one !== "default").map((one) => html`<option value=${one}>${one}</option>`)}</select></label>
      </div>
    </details>
    <div class="row">
      ${busy === "generate"
        ? html`<button type="button" class="primary" onClick=${stop}>Stop</button>`
        : html`<button type="submit" class="primary" disabled=${!prompt.trim() || Boolean(busy)}>Generate</button>`}
      <${Library} />
      <${OpenFile} />
    </div>
  </form>`;
}

function Library() {
  const [models, setModels] = useState([]);
  useEffect(() => void call("/api/gmn/library").then(setModels, () => {}), []);
  const pick = async (event) => {
    const name = event.target.value;
    event.target.value = "";
    try {
      const found = await call(`/api/gmn/library/${encodeURIComponent(name)}`);
      work.set({ prompt: found.prompt, run: null });
      await open(found.text, found.name);
    } catch (failure) {
      work.set({ failure: failure.message });
    }
  };
  return html`<label class="inline"><span class="hidden">Open a curated model</span>
    <select class="quiet" value="" onChange=${pick} disabled=${!models.length}>
      <option value="" disabled>Open an example …</option>
      ${models.map((one) => html`<option value=${one.name} title=${one.prompt}>${one.name}</option>`)}
    </select></label>`;
}

function OpenFile() {
  const read = async (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    if (file.size > 900_000) return work.set({ failure: `${file.name} is larger than 900 kB; the service takes no larger document.` });
    work.set({ run: null });
    await open(await file.text(), file.name);
  };
  return html`<label class="button quiet">Open a file …<input type="file" class="hidden" onChange=${read} accept=".gmn,.json,.yaml,.yml,.md,.txt,.pomdp,.POMDP,.py" /></label>`;
}
