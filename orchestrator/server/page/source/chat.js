// A conversation of this tab. A message has a key and its stream a place, both kept over a reload,
// so that a reload or a killed service neither loses an answer nor has it paid twice.
import { call, stream } from "./api.js";
import { createStore } from "./store.js";

const USER = "page";
const LONGEST_WAIT_MS = 5000;
const EMPTY = { personaId: "", sessionId: "", turns: [], pending: null, failure: "", isWaiting: false };

export const chat = createStore(EMPTY, "orchestrator.chat", (now) => ({ ...now, isWaiting: false, failure: "" }));

/** A name that nobody else uses; `randomUUID` is missing where the address is not a safe one. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Send a message to the chosen persona; the conversation begins with its first message. */
export async function send(message) {
  const { personaId } = chat.get();
  chat.set({ failure: "", pending: { key: newKey(), message, turn: "", lastId: "", messageId: "", text: "", failure: "" } });
  try {
    await begin(personaId);
  } catch (failure) {
    return chat.set(({ pending }) => ({ pending: { ...pending, failure: failure.message } }));
  }
  return follow();
}

async function begin(personaId) {
  if (chat.get().sessionId) return;
  const made = await call("/api/conversations", { user_id: USER, persona_id: personaId || null });
  chat.set({ sessionId: made.id, personaId: made.persona_id });
}

let following = null;

/** Read the answer of the pending message to its end, however often the connection breaks. */
export function follow() {
  following ??= followed().finally(() => (following = null));
  return following;
}

async function followed() {
  chat.set(({ pending }) => ({ pending: pending && { ...pending, failure: "" } }));
  for (let wait = 250; chat.get().pending; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      await begin(chat.get().personaId);
      for await (const event of rest(chat.get())) {
        chat.set({ isWaiting: false });
        hear(event);
        wait = 250;
        if (chat.get().pending?.failure) return;
      }
    } catch (failure) {
      if (failure.status === 404 && chat.get().pending.turn) change({ turn: "", lastId: "" }); // sent again with its key
      else if (!isPassing(failure)) return void change({ failure: failure.message });
    }
    if (!chat.get().pending) return;
    chat.set({ isWaiting: true });
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** The events that are still to come: of a turn that has begun, else of the message itself. */
function rest({ pending, personaId, sessionId }) {
  if (pending.turn) {
    return stream(`/api/llm/turns/${pending.turn}/events`, undefined, { headers: pending.lastId ? { "Last-Event-ID": pending.lastId } : {} });
  }
  const body = { message: pending.message, user_id: USER, persona_id: personaId || null, session_id: sessionId, stream: true };
  return stream("/api/llm/interact", body, { headers: { "Idempotency-Key": pending.key } });
}

const isPassing = (failure) => failure.kind === "unreachable" || [502, 503, 504].includes(failure.status) && ["busy", "ending", "http", ""].includes(failure.kind);

function hear({ id, data }) {
  const { pending } = chat.get();
  const place = id ? { lastId: id } : {};
  if (data.type === "RUN_STARTED") change({ ...place, turn: data.runId, text: "" });
  else if (data.type === "TEXT_MESSAGE_START") change({ ...place, messageId: data.messageId, text: "" });
  else if (data.type === "TEXT_MESSAGE_CONTENT") change({ ...place, text: pending.text + data.delta });
  else if (data.type === "CUSTOM" && data.name === "begins_again") change({ ...place, text: "" });
  else if (data.type === "RUN_FINISHED") finish(pending, data.result);
  else if (data.type === "RUN_ERROR") change({ turn: "", lastId: "", text: "", failure: data.message });
  else change(place);
}

const change = (part) => chat.set(({ pending }) => ({ pending: pending && { ...pending, ...part } }));

function finish(pending, result) {
  const turn = { id: result.interaction_id, message: pending.message, answer: result.response, notes: result.notes,
    model: result.model, cost: result.cost_usd, seconds: result.response_time_ms / 1000 };
  chat.set(({ turns }) => ({ turns: [...turns.filter((one) => one.id !== turn.id), turn], pending: null, isWaiting: false }));
}

/** Give a message up that failed; its text comes back to be changed. */
export function giveUp() {
  const { pending } = chat.get();
  chat.set({ pending: null, failure: "" });
  return pending?.message ?? "";
}

/** Begin another conversation, with this persona. */
export const startOver = (personaId) => chat.set({ ...EMPTY, personaId });

/** Go on with a conversation of before. */
export async function resume(conversation) {
  try {
    const turns = await call(`/api/conversations/${conversation.id}/messages?limit=1000`);
    chat.set({ ...EMPTY, personaId: conversation.persona_id, sessionId: conversation.id,
      turns: turns.filter((one) => one.answer !== null).map((one) => ({ id: one.id, message: one.message, answer: one.answer, notes: [] })) });
  } catch (failure) {
    chat.set({ failure: failure.message });
  }
}

/** The conversations of this page, the newest first. */
export const conversations = () => call(`/api/conversations?user_id=${USER}&active=true&limit=20`);
