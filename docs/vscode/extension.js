// Starts `orchestrator lsp` for every .gmn file, and ends it with the window.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
  const command = workspace.getConfiguration("gmn").get("command");
  const server = { command, args: ["lsp", "--stdio"] };
  client = new LanguageClient("gmn", "GMN", server, { documentSelector: [{ language: "gmn" }] });
  return client.start();
}

function deactivate() {
  return client ? client.stop() : undefined;
}

module.exports = { activate, deactivate };
