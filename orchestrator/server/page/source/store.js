// State that components share, and that a reload of this tab does not lose.
import { useEffect, useState } from "preact/hooks";

/** A value with listeners; with a `name` it is kept in this tab's session storage. */
export function createStore(initial, name = "", kept = (value) => value) {
  let value = { ...initial, ...(name ? read(name) : {}) };
  const listeners = new Set();
  const set = (change) => {
    value = { ...value, ...(typeof change === "function" ? change(value) : change) };
    if (name) write(name, kept(value));
    for (const listener of [...listeners]) listener(value);
  };
  return { get: () => value, set, listen: (listener) => (listeners.add(listener), () => listeners.delete(listener)) };
}

/** The value of a store; the component is drawn again when it changes. */
export function useStore(store) {
  const [value, draw] = useState(store.get());
  useEffect(() => {
    draw(store.get());
    return store.listen(draw);
  }, [store]);
  return value;
}

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "{}");
  } catch {
    return {}; // not ours, or storage is switched off: the page works without it
  }
}

function write(name, value) {
  for (const part of [value, { ...value, versions: [] }]) {
    try {
      return sessionStorage.setItem(name, JSON.stringify(part));
    } catch {
      // Full: what was before is given up first. Switched off: only a reload would miss it.
    }
  }
  try {
    sessionStorage.removeItem(name); // nothing comes back, rather than what is out of date
  } catch {
    // Switched off.
  }
}
