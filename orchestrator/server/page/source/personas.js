// The personas: choose one, write one, change one, remove one of your own.
import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "./api.js";
import { chat, startOver } from "./chat.js";
import { html } from "./html.js";
import { useStore } from "./store.js";

const NEW = { id: "", name: "", traits: [], style: { tone: "", length: "" }, system: "You are {name}.\n{traits}\n{tone}\n{length}\n", temperature: null };

export function Personas({ personas, chosen, onChanged }) {
  const { pending } = useStore(chat);
  const [edited, edit] = useState(null);
  const current = personas.find((one) => one.id === chosen);
  return html`<fieldset class="personas"><legend>Persona</legend>
      ${personas.map((one) => html`<label key=${one.id} class="choice"><input type="radio" name="persona" value=${one.id} checked=${one.id === chosen} disabled=${Boolean(pending)} onChange=${() => startOver(one.id)} />
        <span>${one.name}<span class="hint">${one.traits[0] ?? ""}</span></span></label>`)}</fieldset>
    <div class="row"><button type="button" onClick=${() => edit(NEW)}>New persona</button>
      <button type="button" disabled=${!current} onClick=${() => edit(current)}>Change</button></div>
    ${edited && html`<${PersonaDialog} persona=${edited} onClose=${() => edit(null)} onChanged=${onChanged} />`}`;
}

function PersonaDialog({ persona, onClose, onChanged }) {
  const dialog = useRef(null);
  const [draft, setDraft] = useState({ ...persona, traits: persona.traits.join("\n") });
  const [failure, setFailure] = useState("");
  const isNew = !persona.id;
  useEffect(() => dialog.current.showModal(), []);
  const put = (part) => setDraft({ ...draft, ...part });
  const attempt = async (task) => {
    try {
      await task();
      onChanged();
      onClose();
    } catch (problem) {
      setFailure(problem.message);
    }
  };
  const save = (event) => {
    event.preventDefault();
    const body = { ...draft, traits: draft.traits.split("\n").map((one) => one.trim()).filter(Boolean) };
    attempt(() => call(`/api/personas/${encodeURIComponent(draft.id)}`, body, { method: "PUT" }));
  };
  const remove = () => attempt(() => call(`/api/personas/${encodeURIComponent(draft.id)}`, undefined, { method: "DELETE" }));
  return html`<dialog ref=${dialog} aria-labelledby="persona-title" onClose=${onClose}><form onSubmit=${save}>
    <h2 id="persona-title">${isNew ? "New persona" : `Change ${persona.name}`}</h2>
    ${isNew && html`<label>Id<input value=${draft.id} onInput=${(e) => put({ id: e.target.value })} pattern=${"[a-z0-9][a-z0-9_\\-]*"} maxlength="64" required placeholder="small letters, digits, - and _" /></label>`}
    <label>Name<input value=${draft.name} onInput=${(e) => put({ name: e.target.value })} maxlength="80" required /></label>
    <label>Traits, one a line<textarea rows="3" value=${draft.traits} onInput=${(e) => put({ traits: e.target.value })}></textarea></label>
    <label>Tone<input value=${draft.style.tone} onInput=${(e) => put({ style: { ...draft.style, tone: e.target.value } })} maxlength="500" /></label>
    <label>Length<select value=${draft.style.length} onChange=${(e) => put({ style: { ...draft.style, length: e.target.value } })}>
      <option value="">as it comes</option>${["short", "medium", "long"].map((one) => html`<option value=${one}>${one}</option>`)}</select></label>
    <label>System message<textarea rows="5" value=${draft.system} onInput=${(e) => put({ system: e.target.value })} required></textarea></label>
    ${failure && html`<p class="problem" role="alert">${failure}</p>`}
    <div class="row"><button type="submit" class="primary">Save</button><button type="button" onClick=${onClose}>Cancel</button><span class="gap"></span>
      ${!isNew && html`<button type="button" class="quiet" onClick=${remove}>Remove</button>`}</div>
  </form></dialog>`;
}
