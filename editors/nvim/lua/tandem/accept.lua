--- Puts a suggestion, or its next line or word, into the buffer. Everything is
--- computed from the buffer at this moment, so a key typed just before is never
--- inserted twice.
local M = {}

local client = require("tandem.client")
local position = require("tandem.position")
local session = require("tandem.session")
local suggestion = require("tandem.suggestion")

--- Ends the undo step that the typing before belongs to.
local function break_undo()
  -- Assigning it does so as a side effect, see :help undo-break; CTRL-G u
  -- would be read only after this function.
  vim.cmd("let &g:undolevels = &g:undolevels")
end

--- Keeps the typing that follows out of this undo step.
local function break_undo_after()
  local keys = vim.api.nvim_replace_termcodes("<C-g>u", true, false, true)
  vim.api.nvim_feedkeys(keys, "ni", false)
end

--- Runs `insert_text` so that `.` repeats the text with the typing around it.
--- Of all that an API function inserts, Neovim keeps only a paste for `.`, and
--- from 0.11 on literally. A macro records the key that accepts already.
---@param text string
---@param insert_text fun()
local function repeatable(text, insert_text)
  if vim.fn.has("nvim-0.11") == 0 or vim.fn.reg_recording() ~= "" then
    return insert_text()
  end
  local users = vim.paste
  vim.paste = function()
    vim.paste = users
    insert_text()
    return true
  end
  local ok, err = pcall(vim.api.nvim_paste, text, false, -1)
  vim.paste = users
  if not ok then
    error(err, 0)
  end
end

--- Inserts text at the cursor in place of what is right of it, and puts the
--- cursor behind it.
---@param fit tandem.Fit
---@param text string
---@param right integer bytes to replace
function M.insert(fit, text, right)
  local lines = vim.split(text, "\n", { plain = true })
  local col = #lines[#lines] + (#lines == 1 and fit.col or 0)
  break_undo()
  repeatable(text, function()
    vim.api.nvim_buf_set_text(fit.suggestion.bufnr, fit.row, fit.col, fit.row, fit.col + right, lines)
    vim.api.nvim_win_set_cursor(0, { fit.row + #lines, col })
  end)
  break_undo_after()
end

--- Runs the command of an item, as the protocol wants it. That of tandem's own
--- server says what tandem/didAccept says.
---@param s tandem.Suggestion
local function run_command(s)
  if s.command and s.command.command ~= "tandem.accepted" then
    local params = { command = s.command.command, arguments = s.command.arguments }
    client.request(s.bufnr, "workspace/executeCommand", params, function() end)
  end
end

--- Tells the server what became of a suggestion that it gave a name.
---@param s tandem.Suggestion
---@param method string
---@param params table
local function tell(s, method, params)
  if s.id ~= nil then
    client.notify(s.bufnr, method, params)
  end
end

--- Accepts the part of a fitting suggestion that `take` names, and tells the server.
---@param fit tandem.Fit
---@param take fun(rest: string): string a beginning of its argument
---@return boolean whole whether nothing of it is left
function M.take(fit, take)
  local s, part = fit.suggestion, take(fit.rest)
  if part == fit.rest then
    M.insert(fit, part, fit.right)
    session.dismiss()
    tell(s, "tandem/didAccept", { id = s.id })
    run_command(s)
    return true
  end
  M.insert(fit, part, 0) -- the ghost text follows with the event of this change
  local lsp_client = client.get(s.bufnr)
  if lsp_client then
    local accepted = s.text:sub(1, fit.typed + #part)
    local length = position.units(accepted, lsp_client.offset_encoding)
    tell(s, "tandem/didPartiallyAccept", { id = s.id, acceptedLength = length })
  end
  return false
end

--- Accepts the part of what is shown that `take` names.
---@param take fun(rest: string): string
---@return boolean accepted false if nothing is suggested
local function accept(take)
  local fit = session.fit()
  if fit then
    M.take(fit, take)
  end
  return fit ~= nil
end

--- Accepts all of it.
---@return boolean accepted
function M.all()
  return accept(suggestion.all)
end

--- Accepts up to the end of the line.
---@return boolean accepted
function M.line()
  return accept(suggestion.line)
end

--- Accepts the next word.
---@return boolean accepted
function M.word()
  return accept(suggestion.word)
end

return M
