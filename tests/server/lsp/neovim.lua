-- Neovim's own client: what arrives is written to OUT, a JSON value in each line.
local out = io.open(vim.env.OUT, "w")
local function say(name, value)
  out:write(vim.json.encode({ name, value }) .. "\n")
  out:flush()
end

vim.cmd("edit " .. vim.env.DOC)
local buffer = vim.api.nvim_get_current_buf()
local id = vim.lsp.start_client({
  name = "gmn",
  cmd = { vim.env.PYTHON, "-m", "orchestrator", "lsp" },
  root_dir = vim.fn.getcwd(),
})
vim.lsp.buf_attach_client(buffer, id)
vim.wait(60000, function() return #vim.diagnostic.get(buffer) > 0 end, 20)
local found = {}
for _, one in ipairs(vim.diagnostic.get(buffer)) do
  table.insert(found, { one.code, one.lnum, one.col, one.end_col, one.severity })
end
say("diagnostics", found)

local function ask(method, line, column, more)
  local place = { line = line, character = column }
  local params = { textDocument = vim.lsp.util.make_text_document_params(buffer), position = place }
  params = vim.tbl_extend("force", params, more or {})
  local answers = vim.lsp.buf_request_sync(buffer, method, params, 60000)
  return answers[id].result, answers[id].error
end

local function text()
  return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), "\n") .. "\n"
end

local words = {}
for _, one in ipairs(ask("textDocument/completion", 7, 24).items) do table.insert(words, one.label) end
say("completion", words)
say("hover", ask("textDocument/hover", 2, 12).contents.value)

vim.lsp.util.apply_workspace_edit(ask("textDocument/rename", 2, 12, { newName = "where" }), "utf-16")
say("renamed", text())
local options = { options = { tabSize = 2, insertSpaces = true } }
local _, refusal = ask("textDocument/formatting", 0, 0, options)
say("refused", refusal.message)

local range = { start = { line = 0, character = 0 }, ["end"] = { line = 99, character = 0 } }
local action = { range = range, context = { diagnostics = {}, only = { "quickfix" } } }
for _, one in ipairs(ask("textDocument/codeAction", 0, 0, action)) do
  if one.isPreferred then
    vim.lsp.util.apply_workspace_edit(one.edit, "utf-16")
    say("fixed", { one.title, text() })
    break
  end
end
vim.lsp.util.apply_text_edits(ask("textDocument/formatting", 0, 0, options), buffer, "utf-16")
say("formatted", text())
vim.lsp.stop_client(id)
vim.wait(30000, function() return vim.lsp.client_is_stopped(id) end, 20)
say("stopped", vim.lsp.client_is_stopped(id))
out:close()
