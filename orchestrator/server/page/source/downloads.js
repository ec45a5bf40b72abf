// The model as a file, in every form that there is.
import { call, callText } from "./api.js";
import { html } from "./html.js";
import { useStore } from "./store.js";
import { work } from "./work.js";

const FORMS = [["gmn", "GMN text"], ["json", "GMN as JSON"], ["pymdp-script", "pymdp script"], ["gnn", "GNN"], ["pomdp", ".POMDP"], ["svg", "picture (SVG)"]];

export function Downloads() {
  const { document: text, busy } = useStore(work);
  const fetchAs = async (event) => {
    const form = event.target.value;
    event.target.value = "";
    try {
      if (form === "svg") return save(`${nameOf(text)}.svg`, await callText("/api/gmn/draw", { document: text }), "image/svg+xml");
      const { file, text: made, left_out: left } = await call("/api/gmn/import", { document: text, to: form });
      save(file, made);
      work.set({ failure: "", ...(left ? { failure: `${file}: this form has no place for ${left}; they are left out.` } : {}) });
    } catch (failure) {
      work.set({ failure: failure.message, view: failure.problem?.diagnostics ? "checks" : work.get().view });
    }
  };
  return html`<label class="inline"><span class="hidden">Download the model</span>
    <select value="" onChange=${fetchAs} disabled=${busy === "generate"}><option value="" disabled>Download …</option>
      ${FORMS.map(([form, words]) => html`<option value=${form}>${words}</option>`)}</select></label>`;
}

const nameOf = (text) => /^\s*agent\s+([\w.-]+)/m.exec(text)?.[1] ?? "model";

/** Give a text to the browser as a file. */
export function save(name, text, type = "text/plain;charset=utf-8") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
