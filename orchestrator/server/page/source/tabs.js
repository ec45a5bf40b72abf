// Tabs by the pattern of the ARIA authoring guide: arrows move, one stop for the Tab key.
import { useRef } from "preact/hooks";
import { html } from "./html.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

export function TabList({ label, name, tabs, active, onChoose }) {
  const list = useRef(null);
  const move = (event) => {
    const at = tabs.findIndex((tab) => tab.id === active);
    const to = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1
      : event.key in STEPS ? (at + STEPS[event.key] + tabs.length) % tabs.length : -1;
    if (to < 0) return;
    event.preventDefault();
    onChoose(tabs[to].id);
    list.current.children[to].focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
    ${tabs.map(({ id, label: words, count }) => html`<button role="tab" type="button" id=${`${name}-tab-${id}`}
      aria-selected=${String(id === active)} aria-controls=${`${name}-panel-${id}`} tabindex=${id === active ? 0 : -1}
      onClick=${() => onChoose(id)}>${words}${count ? html` <span class="count">${count}</span>` : ""}</button>`)}
  </div>`;
}

export function TabPanel({ name, id, active, children }) {
  return html`<section role="tabpanel" id=${`${name}-panel-${id}`} aria-labelledby=${`${name}-tab-${id}`} hidden=${id !== active} tabindex="-1">${children}</section>`;
}
