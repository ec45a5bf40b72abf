// The model as a graph: the picture that `orchestrator draw` makes. A node leads to its text.
import { useEffect, useRef, useState } from "preact/hooks";
import { callText } from "./api.js";
import { goTo } from "./goto.js";
import { html } from "./html.js";

export function Graph({ text }) {
  const [found, setFound] = useState({ svg: "", failure: "" });
  useEffect(() => {
    const ending = new AbortController();
    const timer = setTimeout(() => callText("/api/gmn/draw", { document: text, parts: ["graph"] }, { signal: ending.signal }).then(
      (svg) => setFound({ svg, failure: "" }),
      (failure) => failure.name !== "AbortError" && setFound((now) => ({ ...now, failure: failure.message })),
    ), found.svg ? 350 : 0);
    return () => (clearTimeout(timer), ending.abort());
  }, [text]);
  return html`${found.failure && html`<p class="problem">${found.failure}${found.svg ? " Shown is the text before." : ""}</p>`}
    ${found.svg ? html`<${Picture} svg=${found.svg} text=${text} isOld=${Boolean(found.failure)} />` : !found.failure && html`<p class="hint">Drawing …</p>`}
    ${found.svg && html`<p class="hint">An arrow leads from what something depends on. Choose a node to go to its text.</p>`}`;
}

function Picture({ svg, text, isOld }) {
  const box = useRef(null);
  useEffect(() => {
    const picture = parsed(svg);
    for (const node of picture.querySelectorAll("[data-name]")) {
      const { name, kind } = node.dataset;
      const choose = () => goToNode(text, kind, name);
      for (const [attribute, value] of Object.entries({ tabindex: "0", role: "button" })) node.setAttribute(attribute, value);
      node.addEventListener("click", choose);
      node.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), choose()));
      const light = (isLit) => () => lit(picture, name, isLit);
      for (const event of ["mouseenter", "focus"]) node.addEventListener(event, light(true));
      for (const event of ["mouseleave", "blur"]) node.addEventListener(event, light(false));
    }
    box.current.replaceChildren(picture);
  }, [svg]);
  return html`<div class=${isOld ? "scroll graph old" : "scroll graph"} ref=${box} tabindex="0" role="region" aria-label="Graph of the model"></div>`;
}

/** The picture as elements. Its own style is left out: the policy forbids it, and ours has its colours. */
function parsed(svg) {
  const made = new DOMParser().parseFromString(svg.replace(/<style>[^<]*<\/style>/, ""), "image/svg+xml").documentElement;
  made.setAttribute("role", "group"); // it has parts that can be chosen
  return document.importNode(made, true);
}

/** Bring out the edges of a node. */
function lit(picture, name, isLit) {
  picture.classList.toggle("has-lit", isLit);
  for (const edge of picture.querySelectorAll("[data-from]")) {
    edge.classList.toggle("lit", isLit && (edge.dataset.from === name || edge.dataset.to === name));
  }
}

function goToNode(text, kind, name) {
  const lines = text.split("\n");
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const line = lines.findIndex((one) => new RegExp(`^\\s*node\\s+${kind}\\s+${escaped}(?![\\w.])`).test(one));
  const at = line >= 0 ? line : lines.findIndex((one) => new RegExp(`"?\\b${escaped}\\b`).test(one));
  if (at >= 0) goTo(at + 1, 1);
}
