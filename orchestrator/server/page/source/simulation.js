// An episode, step by step: what it sees, believes, does and why, and how often expectations hold.
import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "./api.js";
import { Beliefs } from "./beliefs.js";
import { html } from "./html.js";
import { useStore } from "./store.js";
import { Why } from "./why.js";
import { expectationsOf, work } from "./work.js";

const PACE_MS = 900;

export function Simulation({ text, shown }) {
  const { expectations } = useStore(work);
  const [steps, setSteps] = useState(12);
  const [seed, setSeed] = useState(0);
  const [state, setState] = useState({ episode: null, failure: "", isRunning: false, of: "" });
  const ending = useRef(null);
  const run = async (event) => {
    event?.preventDefault();
    ending.current?.abort();
    const own = (ending.current = new AbortController());
    setState((now) => ({ ...now, isRunning: true, failure: "" }));
    try {
      const body = { document: text, steps, seed, expectations: expectationsOf(expectations) };
      const episode = await call("/api/gmn/simulate", body, { signal: own.signal });
      setState({ episode, failure: "", isRunning: false, of: text });
    } catch (failure) {
      if (failure.name === "AbortError") return;
      const found = failure.problem?.diagnostics ? `${failure.message}: ${failure.problem.diagnostics.length} findings, see Checks.` : failure.message;
      setState((now) => ({ ...now, isRunning: false, failure: found }));
    }
  };
  useEffect(() => {
    run();
    return () => ending.current?.abort();
  }, []);
  return html`<form class="row" onSubmit=${run}>
      <label class="inline">Steps <input type="number" min="1" max="200" value=${steps} onInput=${(e) => setSteps(number(e, 1, 200))} /></label>
      <label class="inline">Seed <input type="number" min="0" max="2147483647" value=${seed} onInput=${(e) => setSeed(number(e, 0, 2147483647))} /></label>
      <button type="submit" disabled=${state.isRunning}>${state.isRunning ? "Running …" : "Run"}</button>
      ${state.episode && state.of !== text && html`<span class="hint">The text has changed since.</span>`}
    </form>
    ${state.failure && html`<p class="problem" role="alert">${state.failure}</p>`}
    ${state.episode && html`<${Player} key=${`${state.of.length} ${state.episode.seed} ${state.episode.steps.length}`} episode=${state.episode} model=${shown.model} />
      <${Rates} found=${state.episode.expectations} />`}`;
}

const number = (event, least, most) => Math.min(most, Math.max(least, Math.round(Number(event.target.value) || 0)));

function Player({ episode, model }) {
  const [at, go] = useState(0);
  const [isPlaying, play] = useState(false);
  const last = episode.steps.length - 1;
  const shown = Math.min(at, last);
  useEffect(() => {
    if (!isPlaying) return undefined;
    if (shown >= last) return void play(false);
    const timer = setTimeout(() => go(shown + 1), PACE_MS);
    return () => clearTimeout(timer);
  }, [isPlaying, shown, last]);
  const step = episode.steps[shown];
  const start = () => (shown >= last && go(0), play(!isPlaying));
  return html`<div class="player">
    ${episode.warnings.map((words) => html`<p class="problem">${words}</p>`)}
    <div class="row controls">
      <button type="button" aria-label="Step back" disabled=${shown === 0} onClick=${() => go(shown - 1)}>‹</button>
      <button type="button" onClick=${start}>${isPlaying ? "Pause" : "Play"}</button>
      <button type="button" aria-label="Step on" disabled=${shown === last} onClick=${() => go(shown + 1)}>›</button>
      <input type="range" min="1" max=${last + 1} value=${shown + 1} aria-label="Step" aria-valuetext=${`step ${shown + 1} of ${last + 1}`} onInput=${(e) => go(Number(e.target.value) - 1)} />
      <output>${shown + 1} of ${last + 1}</output>
    </div>
    <dl class="facts" aria-live="polite">
      <div><dt>sees</dt><dd>${labels(step.observation)}</dd></div>
      ${Object.keys(step.state).length > 0 && html`<div><dt>truth</dt><dd>${labels(step.state)}</dd></div>`}
      <div class="does"><dt>does</dt><dd>${Object.keys(step.action).length ? labels(step.action) : "nothing: the episode ended"}</dd></div>
      <div><dt>gains</dt><dd>${Number(step.utility.toPrecision(4))} nats <span class="hint">of ${Number(episode.utility.toPrecision(4))}</span></dd></div>
    </dl>
    <${Beliefs} step=${step} model=${model} />
    ${step.why && html`<${Why} why=${step.why} />`}
  </div>`;
}

const labels = (by) => Object.entries(by).map(([name, label]) => html`<span class="pair"><span class="hint">${name}</span> ${label}</span> `);

function Rates({ found }) {
  if (!found?.length) return null;
  return html`<h3>Expectations</h3><ul class="findings">${found.map((one) => html`<li class="expectation">
    <code>${one.expectation}</code><meter min="0" max="1" value=${one.rate} aria-label=${`held in ${Math.round(one.rate * 100)} percent`}></meter>
    <span class=${one.held ? "good-text" : "bad-text"}>${one.held ? "holds" : "fails"}: ${one.mean === null ? `${Math.round(one.rate * one.episodes)} of ${one.episodes} episodes` : `on average ${Number(one.mean.toPrecision(4))}`}</span></li>`)}</ul>`;
}
