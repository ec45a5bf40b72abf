// Requests to the service: JSON, problems as errors, streams of events.
import { createStore } from "./store.js";

/** The key of this tab, and whether the service asks for one. It is kept in session storage only. */
export const access = createStore({ key: "", isAsked: false, isWrong: false }, "orchestrator.key", ({ key }) => ({ key }));

/** What a request failed with; `message` says what to do, `problem` is the whole answer. */
export class Failure extends Error {
  constructor(message, { status = 0, kind = "", problem = {} } = {}) {
    super(message);
    Object.assign(this, { status, kind, problem });
  }
}

/** The answer to a request as data. */
export async function call(path, body, { method, signal } = {}) {
  const response = await sent(path, body, { method, signal });
  return response.status === 204 ? null : response.json();
}

/** The answer to a request as text. */
export const callText = async (path, body, options) => (await sent(path, body, options)).text();

/** The events of a stream, as `{ id, data }`; ends with the stream. */
export async function* stream(path, body, { signal, headers = {} } = {}) {
  const response = await sent(path, body, { signal, headers });
  if (response.status === 204) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await lost(reader.read());
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield event(block);
  }
}

function event(block) {
  const found = { id: "", data: null };
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) found.id = line.slice(4);
    if (line.startsWith("data: ")) found.data = JSON.parse(line.slice(6));
  }
  return found;
}

async function sent(path, body, { method, signal, headers = {} } = {}) {
  const { key } = access.get();
  const response = await lost(fetch(path, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(key ? { Authorization: `Bearer ${key}` } : {}),
      ...headers,
    },
    signal, credentials: "omit",
  }));
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const kind = String(problem.type ?? "").split(":").at(-1);
  if (response.status === 401) access.set({ isAsked: true, isWrong: Boolean(key) });
  throw new Failure(problem.detail ?? `The service answered ${response.status}.`, { status: response.status, kind, problem });
}

/** A request that never arrived, or whose answer broke off, in words. */
async function lost(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The service cannot be reached. Is `orchestrator serve` still running?", { kind: "unreachable" });
  }
}
