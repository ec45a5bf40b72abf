// What is worked on in this tab: the sentence, the run, the document, its versions, its report.
import { call, stream } from "./api.js";
import { after, newRun } from "./run.js";
import { createStore } from "./store.js";

const MOST_VERSIONS = 20;
const EMPTY = {
  prompt: "", agentType: "general", expectations: "", model: "", run: null, document: "",
  versions: [], report: null, reportOf: "", busy: "", failure: "", view: "graph", revision: 0,
};

/** Kept over a reload: all but what is in progress, which a reload ends. */
const kept = (work) => ({ ...work, busy: "", failure: "", run: work.run && interrupted(work.run) });
const interrupted = (run) => (run.state === "running" ? { ...run, state: "interrupted" } : run);

export const work = createStore(EMPTY, "orchestrator.work", kept);

let ending = null; // of the request that is under way

/** Carry out `task`, and say in the state that it is under way, or what it failed with. */
async function doing(busy, task) {
  ending?.abort();
  const own = (ending = new AbortController());
  work.set({ busy, failure: "" });
  try {
    await task(own.signal);
  } catch (failure) {
    if (own !== ending) return;
    const isStopped = failure.name === "AbortError";
    work.set((now) => ({
      failure: isStopped ? "" : failure.message,
      run: now.run?.state === "running" ? { ...now.run, state: isStopped ? "stopped" : "failed", error: isStopped ? "" : failure.message } : now.run,
      ...(failure.problem?.diagnostics && busy !== "generate" ? { report: { valid: false, repairs: [], behaviour: [], ...now.report, diagnostics: failure.problem.diagnostics } } : {}),
    }));
  } finally {
    if (own === ending) work.set({ busy: "" });
  }
}

export const stop = () => ending?.abort();

/** The expectations that were typed, a line each. */
export const expectationsOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

export function generate() {
  const { prompt, agentType, expectations, model } = work.get();
  const body = { prompt, agent_type: agentType, expectations: expectationsOf(expectations), model: model || null, stream: true };
  return doing("generate", (signal) => follow("/api/gmn/generate", body, prompt, signal));
}

/** Show a run of the loop while it happens, and make its document the one that is worked on. */
async function follow(path, body, wish, signal) {
  work.set({ run: newRun(wish) });
  for await (const { data } of stream(path, body, { signal })) {
    work.set((now) => ({ run: after(now.run, data) }));
  }
  const { run } = work.get();
  if (run.state === "running") throw new Error("The stream ended before its last event. Ask again: what was answered is not paid twice.");
  if (run.result) take(run.result.text, wish, run.result.report);
}

export function refine(feedback) {
  const { document, expectations, model } = work.get();
  const body = { document, feedback, expectations: expectationsOf(expectations), model: model || null, stream: true };
  return doing("refine", (signal) => follow("/api/gmn/refine", body, feedback, signal));
}

/** Judge the document as it stands, its expectations included. */
export function check() {
  const { document, expectations } = work.get();
  return doing("check", async (signal) => {
    const report = await call("/api/gmn/validate", { document, expectations: expectationsOf(expectations) }, { signal });
    if (report.valid) keep(document, "edited");
    work.set({ report, reportOf: document });
  });
}

/** Make a text the document, as a version that one can come back to. */
export function take(text, label, report = null) {
  keep(text, label);
  work.set(({ revision }) => ({
    document: text, revision: revision + 1, report, reportOf: report ? text : "",
  }));
}

export async function open(text, label) {
  take(text, label);
  work.set({ expectations: expectationsIn(text).join("\n") });
  await check();
}

/** The expectations that a document itself states. */
function expectationsIn(text) {
  const stated = /^\s*expect:\s*"((?:[^"\\]|\\.)*)"/m.exec(text)?.[1] ?? "";
  return stated.split(";").map((one) => one.trim()).filter(Boolean);
}

function keep(text, label) {
  work.set(({ versions }) => {
    if (versions.at(-1)?.text === text) return {};
    const version = { text, label: label.slice(0, 80), at: Date.now() };
    return { versions: [...versions, version].slice(-MOST_VERSIONS) };
  });
}
