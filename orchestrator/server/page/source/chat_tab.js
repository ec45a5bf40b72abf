// Personas, and a conversation with one.
import { html } from "./html.js";

export function ChatTab() {
  return html`<p class="hint">…</p>`;
}
