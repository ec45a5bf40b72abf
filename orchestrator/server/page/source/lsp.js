// A client of the language server: one JSON-RPC message in each frame of a WebSocket.
import { access } from "./api.js";

export const ADDRESS = "file:///model.gmn";
const LONGEST_WAIT_MS = 10_000;
const ASKED_FOR = {
  general: { positionEncodings: ["utf-16"] },
  textDocument: {
    synchronization: {}, publishDiagnostics: { versionSupport: true },
    completion: { completionItem: { documentationFormat: ["plaintext"], snippetSupport: false } },
    hover: { contentFormat: ["plaintext"] }, formatting: {}, rename: {}, inlayHint: {},
    codeLens: {}, codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ["quickfix"] } }, isPreferredSupport: true },
  },
};

/** Keeps one document in step with the server; connects again when the connection breaks. */
export class LanguageClient {
  /** `onFindings` gets what was found in the newest text, `onState` whether there is a connection. */
  constructor({ text, onFindings, onState }) {
    Object.assign(this, { text, onFindings, onState, version: 1, sentVersion: 0, wait: 300, isEnded: false });
    this.capabilities = {};
    this.#connect();
  }

  #waiting = new Map();
  #count = 0;

  #connect() {
    const { key } = access.get();
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/api/lsp`, key ? ["lsp", `bearer.${key}`] : ["lsp"]);
    this.socket.onopen = () => this.#begin();
    this.socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    this.socket.onclose = () => this.#lost();
  }

  async #begin() {
    const { capabilities } = await this.#send("initialize", { processId: null, rootUri: null, capabilities: ASKED_FOR });
    this.capabilities = capabilities;
    this.#say("initialized", {});
    this.#say("textDocument/didOpen", { textDocument: { uri: ADDRESS, languageId: "gmn", version: this.version, text: this.text } });
    this.sentVersion = this.version;
    this.wait = 300;
    this.onState(true);
  }

  #lost() {
    for (const { reject } of this.#waiting.values()) reject(new Error("the connection to the language server is lost"));
    this.#waiting.clear();
    this.sentVersion = 0;
    if (this.isEnded) return;
    this.onState(false);
    this.timer = setTimeout(() => this.#connect(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
  }

  #hear(message) {
    if (message.method === "textDocument/publishDiagnostics") {
      const { diagnostics, version } = message.params;
      if (version === undefined || version === null || version === this.version) this.onFindings(diagnostics, this.version);
    } else if (message.method && message.id !== undefined) {
      this.socket.send(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: null }));
    } else if (this.#waiting.has(message.id)) {
      const { resolve, reject } = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    }
  }

  #say(method, params) {
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  #send(method, params) {
    const id = (this.#count += 1);
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** The text is another one now; it is sent when typing stops, or with the next question. */
  change(text) {
    this.text = text;
    this.version += 1;
    clearTimeout(this.flushing);
    this.flushing = setTimeout(() => this.flush(), 150);
  }

  flush() {
    clearTimeout(this.flushing);
    if (!this.sentVersion || this.sentVersion === this.version) return;
    this.#say("textDocument/didChange", { textDocument: { uri: ADDRESS, version: this.version }, contentChanges: [{ text: this.text }] });
    this.sentVersion = this.version;
  }

  /** The answer to a question about the newest text; null where the server cannot answer it. */
  async ask(capability, method, params) {
    if (!this.sentVersion || !this.capabilities[capability]) return null;
    this.flush();
    try {
      return await this.#send(method, method.startsWith("textDocument/") ? { textDocument: { uri: ADDRESS }, ...params } : params);
    } catch {
      return null; // the text has changed meanwhile, or the connection is lost: it is asked again
    }
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.timer);
    clearTimeout(this.flushing);
    this.socket.close();
  }
}
