// Personas, and a conversation with one of them.
import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "./api.js";
import { chat, conversations, follow, giveUp, resume, send, startOver } from "./chat.js";
import { html } from "./html.js";
import { Personas } from "./personas.js";
import { useStore } from "./store.js";

export function ChatTab({ isShown }) {
  const { personaId, turns, pending } = useStore(chat);
  const [known, setKnown] = useState({ personas: [], failure: "" });
  const read = () => call("/api/personas").then(
    (personas) => (setKnown({ personas, failure: "" }), chat.get().personaId || chat.set({ personaId: personas[0]?.id ?? "" })),
    (failure) => setKnown((now) => ({ ...now, failure: failure.message })));
  useEffect(() => void (isShown && read()), [isShown]);
  useEffect(() => void (chat.get().pending && !chat.get().pending.failure && follow()), []);
  const persona = known.personas.find((one) => one.id === personaId);
  return html`<div class="chat">
    <aside class="card" aria-label="Personas and conversations">
      <${Personas} personas=${known.personas} chosen=${personaId} onChanged=${read} />
      ${known.failure && html`<p class="problem" role="alert">${known.failure}</p>`}
      <${Before} isShown=${isShown} count=${turns.length} />
    </aside>
    <section class="card talk" aria-label=${`Conversation with ${persona?.name ?? "a persona"}`}>
      <div class="row head"><h2>${persona?.name ?? "Conversation"}</h2><span class="hint">${persona?.traits.join(", ")}</span><span class="gap"></span>
        <button type="button" disabled=${!turns.length || Boolean(pending)} onClick=${() => startOver(personaId)}>New conversation</button></div>
      <${Turns} name=${persona?.name ?? "Answer"} /><${Message} />
    </section></div>`;
}

function Turns({ name }) {
  const { turns, pending, isWaiting, failure } = useStore(chat);
  const end = useRef(null);
  useEffect(() => void (end.current.parentElement.scrollTop = end.current.parentElement.scrollHeight), [turns.length, pending?.text, pending?.failure]);
  return html`<div class="turns" tabindex="0" role="log" aria-label="Messages" aria-live="polite">
    ${!turns.length && !pending && html`<p class="hint">Nothing was said yet.</p>`}
    ${turns.map((one) => html`<${Turn} key=${one.id} turn=${one} name=${name} />`)}
    ${pending && html`<div class="said"><p class="mine">${pending.message}</p>
      ${!pending.failure && html`<div class="theirs" aria-busy="true"><span class="hint">${name}</span><p>${pending.text || "…"}</p></div>`}
      ${isWaiting && !pending.failure && html`<p class="hint" role="status">The connection is lost; trying again. Nothing that was answered is lost.</p>`}
      ${pending.failure && html`<p class="problem" role="alert">${pending.failure}</p>`}</div>`}
    ${failure && html`<p class="problem" role="alert">${failure}</p>`}
    <span ref=${end}></span></div>`;
}

function Turn({ turn, name }) {
  const about = [turn.model, turn.seconds !== undefined && `${turn.seconds.toFixed(1)} s`, turn.cost > 0 && `${Number(turn.cost.toPrecision(3))} USD`];
  return html`<div class="said"><p class="mine">${turn.message}</p>
    <div class="theirs"><span class="hint">${name}</span><p>${turn.answer}</p>
      ${turn.notes.map((note) => html`<p class="hint">${note}</p>`)}
      ${turn.model && html`<p class="hint">${about.filter(Boolean).join(" · ")}</p>`}</div></div>`;
}

function Message() {
  const { pending, personaId } = useStore(chat);
  const [typed, type] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (!typed.trim() || pending) return;
    send(typed.trim());
    type("");
  };
  const onKey = (event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && submit(event);
  if (pending?.failure) {
    return html`<div class="row"><button type="button" class="primary" onClick=${() => follow()}>Try again</button>
      <button type="button" onClick=${() => type(giveUp())}>Change the message</button></div>`;
  }
  return html`<form class="row refine" onSubmit=${submit}>
    <label for="message" class="hidden">Message</label>
    <textarea id="message" rows="2" value=${typed} onInput=${(e) => type(e.target.value)} onKeyDown=${onKey} maxlength="32768" placeholder="Message"></textarea>
    <button type="submit" class="primary" disabled=${!typed.trim() || Boolean(pending) || !personaId}>Send</button></form>`;
}

function Before({ isShown, count }) {
  const [found, setFound] = useState([]);
  const { sessionId, pending } = useStore(chat);
  useEffect(() => void (isShown && conversations().then(setFound, () => {})), [isShown, count, sessionId]);
  const others = found.filter((one) => one.id !== sessionId && one.turns > 0);
  if (!others.length) return null;
  return html`<h3>Conversations before</h3><ul class="findings">${others.map((one) => html`<li>
    <button type="button" class="link" disabled=${Boolean(pending)} onClick=${() => resume(one)}>${one.persona_id}, ${new Date(one.started_at * 1000).toLocaleString()}</button>
    <span class="hint"> ${one.turns} ${one.turns === 1 ? "turn" : "turns"}</span></li>`)}</ul>`;
}
