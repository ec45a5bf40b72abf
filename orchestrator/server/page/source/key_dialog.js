// Asks for a key where the service demands one.
import { useEffect, useRef, useState } from "preact/hooks";
import { access } from "./api.js";
import { html } from "./html.js";
import { useStore } from "./store.js";

export function KeyDialog() {
  const dialog = useRef(null);
  const [typed, type] = useState("");
  const { isWrong } = useStore(access);
  useEffect(() => dialog.current.showModal(), []);
  const take = (event) => {
    event.preventDefault();
    if (!typed.trim()) return;
    access.set({ key: typed.trim(), isAsked: false, isWrong: false });
    location.reload(); // every part asks again, with the key
  };
  return html`<dialog ref=${dialog} aria-labelledby="key-title" onCancel=${(e) => e.preventDefault()}>
    <form onSubmit=${take}>
      <h2 id="key-title">This service asks for a key</h2>
      <p>${isWrong ? "The key was refused: it is mistyped, revoked, or of another service. " : ""}
        The person who runs the service makes one with <code>orchestrator keys create --tenant NAME</code>.</p>
      <label for="key">Key</label>
      <input id="key" type="password" autocomplete="off" spellcheck=${false} value=${typed} onInput=${(e) => type(e.target.value)} placeholder="gmn_…" autofocus />
      <p class="hint">It stays in this tab and is forgotten when you close it.</p>
      <button class="primary" type="submit">Use this key</button>
    </form>
  </dialog>`;
}
