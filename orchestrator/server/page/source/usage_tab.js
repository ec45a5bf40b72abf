// What was used and what it cost, and how every deployment fares.
import { useEffect, useState } from "preact/hooks";
import { call } from "./api.js";
import { classes, html } from "./html.js";

const SPANS = [["12h", "12 hours"], ["1d", "a day"], ["7d", "a week"], ["30d", "30 days"]];

export function UsageTab({ isShown }) {
  const [since, setSince] = useState("1d");
  const [found, setFound] = useState({ usage: null, health: null, failure: "" });
  const refresh = async (signal) => {
    try {
      const [usage, health] = await Promise.all([call(`/api/usage?since=${since}`, undefined, { signal }), call("/api/health", undefined, { signal })]);
      setFound({ usage, health, failure: "" });
    } catch (failure) {
      if (failure.name !== "AbortError") setFound((now) => ({ ...now, failure: failure.message }));
    }
  };
  useEffect(() => {
    if (!isShown) return undefined;
    const ending = new AbortController();
    refresh(ending.signal);
    return () => ending.abort();
  }, [isShown, since]);
  const { usage, health, failure } = found;
  return html`<div class="page">
    <div class="row head"><h2>Usage</h2><label class="inline">of
      <select value=${since} onChange=${(e) => setSince(e.target.value)}>${SPANS.map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select></label>
      <button type="button" onClick=${() => refresh()}>Refresh</button></div>
    ${failure && html`<p class="problem" role="alert">${failure}</p>`}
    ${usage && html`<${Sums} usage=${usage} /><${Lines} lines=${usage.lines} />`}
    ${health && html`<h2>Health</h2><${Deployments} found=${health.deployments} />`}
  </div>`;
}

function Sums({ usage }) {
  const shown = [
    ["requests", usage.requests], ["failed", usage.failed], ["from the cache", usage.hits],
    ["tokens asked", usage.prompt_tokens], ["tokens answered", usage.completion_tokens],
  ];
  return html`<dl class="figures">${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value.toLocaleString("en")}</dd></div>`)}
    <div><dt>cost${usage.unpriced ? `, ${usage.unpriced} without a price` : ""}</dt><dd>${usage.usd.toFixed(usage.usd && usage.usd < 0.01 ? 6 : 2)} <small>USD</small></dd></div>
    <div><dt>median time</dt><dd>${usage.p50_s === null ? "none" : html`${Number(usage.p50_s.toPrecision(2))} <small>s</small>`}</dd></div></dl>`;
}

function Lines({ lines }) {
  if (!lines.length) return html`<p class="hint">Nothing was asked in this time.</p>`;
  return html`<div class="scroll tall" tabindex="0" role="region" aria-label="The last requests"><table class="list">
    <caption class="hidden">The last requests</caption>
    <thead><tr><th scope="col">at</th><th scope="col">what</th><th scope="col">outcome</th><th scope="col" class="number">tokens</th><th scope="col" class="number">USD</th><th scope="col" class="number">seconds</th></tr></thead>
    <tbody>${[...lines].reverse().map((one) => html`<tr><td>${new Date(one.at).toLocaleString()}</td><td>${one.operation}</td><td>${one.outcome}${one.hits ? " (cache)" : ""}</td>
      <td class="number">${(one.usage ? one.usage.prompt_tokens + one.usage.completion_tokens : 0).toLocaleString("en")}</td><td class="number">${one.billed_usd === null ? "?" : Number(one.billed_usd.toFixed(6))}</td><td class="number">${one.seconds}</td></tr>`)}</tbody></table></div>`;
}

function Deployments({ found }) {
  const ready = found.filter((one) => one.available || one.attempts);
  const left = found.filter((one) => !one.available && !one.attempts);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Deployments"><table class="list"><caption class="hidden">Deployments</caption>
    <thead><tr><th scope="col">deployment</th><th scope="col">model</th><th scope="col">state</th><th scope="col" class="number">success</th><th scope="col" class="number">average s</th><th scope="col">last error</th></tr></thead>
    <tbody>${ready.map((one) => html`<tr><td>${one.name}</td><td>${one.model}</td><td><span class=${classes("chip", one.available ? "good" : "bad")}>${one.available ? "can be called" : one.reason}</span></td>
      <td class="number">${one.success_rate === null ? "not asked" : `${one.success_rate}%`}</td><td class="number">${one.average_s ?? ""}</td><td>${one.last_error}</td></tr>`)}</tbody></table></div>
    ${left.length > 0 && html`<details><summary>${left.length} that cannot be called here</summary><ul class="findings">${left.map((one) => html`<li><strong>${one.name}</strong> <span class="hint">${one.reason}</span></li>`)}</ul></details>`}`;
}
