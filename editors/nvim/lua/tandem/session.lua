--- What is suggested at the cursor: asks, checks answers, and keeps the ghost
--- text true to the buffer. Holds no policy: every change in insert mode is
--- asked about, and the server decides what is worth computing.
local M = {}

local client = require("tandem.client")
local config = require("tandem.config")
local ghost = require("tandem.ghost")
local moments = require("tandem.moment")
local position = require("tandem.position")
local suggestion = require("tandem.suggestion")

--- LSP's InlineCompletionTriggerKind.
local INVOKED, AUTOMATIC = 1, 2

---@class tandem.Session
---@field offered tandem.Suggestion[] the server's last answer that fitted
---@field index integer of the one that is shown
---@field request tandem.Request? the last one; its answer may be there already
---@field asked tandem.Moment? what the last request was about, also when it is over
---@field seen tandem.Moment? what the last event found
---@field told_shown any the id of which the server was told last that it is shown
local session = { offered = {}, index = 1 }

--- Whether a completion menu is open that ghost text would fight with:
--- Neovim's own, or that of the two plugins that draw theirs.
---@return boolean
local function menu_open()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  local cmp, blink = package.loaded["cmp"], package.loaded["blink.cmp"]
  return (cmp and cmp.visible and cmp.visible() or blink and blink.is_menu_visible and blink.is_menu_visible()) == true
end

--- Whether nothing is to be shown because of one.
---@return boolean
function M.hidden_by_menu()
  return config.current.popup == "hide" and menu_open()
end

--- How the suggestion fits here and now. Computed from the buffer, so it is
--- right also between a keystroke and the events that follow it.
---@return tandem.Fit? fit nil if nothing is suggested
function M.fit()
  local s = session.offered[session.index]
  if not s or s.bufnr ~= vim.api.nvim_get_current_buf() or M.hidden_by_menu() then
    return nil
  end
  local moment = moments.now()
  return suggestion.fit(s, moment.row, moment.col)
end

--- Whether something is suggested here and now.
---@return boolean
function M.is_visible()
  return M.fit() ~= nil
end

--- Forgets what was offered.
local function forget()
  session.offered, session.index = {}, 1
  ghost.clear()
end

--- Cancels what is asked.
local function cancel()
  if session.request then
    client.cancel(session.request)
    session.request = nil
  end
end

---@param fit tandem.Fit
local function tell_shown(fit)
  local s = fit.suggestion
  if s.id ~= nil and s.id ~= session.told_shown then
    session.told_shown = s.id
    client.notify(s.bufnr, "tandem/didShow", { id = s.id })
  end
end

--- Makes the ghost text what it must be now: less where the user typed its
--- beginning, nothing where it does not fit any more.
function M.refresh()
  local fit = M.fit()
  if fit then
    ghost.draw(fit)
    tell_shown(fit)
  elseif M.hidden_by_menu() then
    ghost.clear() -- it may still fit when the menu is closed
  else
    forget()
  end
end

--- The answer's items that fit the cursor.
---@param result table InlineCompletionList or InlineCompletionItem[]
---@param request tandem.Request
---@return tandem.Suggestion[]
local function fitting(result, request)
  local lsp_client = client.get(request.bufnr)
  local out = {}
  for _, item in ipairs(result.items or result) do
    local s = lsp_client and suggestion.from_item(item, request, lsp_client.offset_encoding)
    if s and suggestion.fit(s, request.row, request.col) then
      out[#out + 1] = s
    end
  end
  return out
end

--- Which of a new answer to show. A user who chose another one than the first
--- keeps it, if it is there.
---@param offered tandem.Suggestion[]
---@param request tandem.Request
---@return integer
local function choose(offered, request)
  local shown = session.index > 1 and M.fit() or request.advance and M.fit()
  if not shown then
    return 1
  end
  for i, s in ipairs(offered) do
    local fit = suggestion.fit(s, request.row, request.col)
    if fit and vim.startswith(fit.rest, shown.rest) then
      return request.advance and (i - 1 + request.advance) % #offered + 1 or i
    end
  end
  return 1
end

--- Takes an answer, if it is for what is on the screen. Nothing found leaves
--- what is shown: it was checked when the buffer changed.
---@param request tandem.Request
---@param result table?
local function answered(request, result)
  if request ~= session.request or not moments.inserting() or not moments.same(request, moments.now()) then
    return
  end
  session.request = nil
  local offered = result and fitting(result, request) or {}
  if #offered > 0 then
    local index = choose(offered, request)
    session.offered, session.index = offered, index
    M.refresh()
  elseif request.early then
    M.changed() -- it was answered before there was a model
  end
end

--- Asks for suggestions at the cursor. The request before is superseded by the
--- server, which knows what of its work is still good.
---@param kind integer
---@param advance integer?
local function ask(kind, advance)
  local moment = moments.now()
  local lsp_client = client.get(moment.bufnr)
  if not lsp_client then
    return
  end
  local request = moment ---@type tandem.Request
  request.client_id, request.advance = lsp_client.id, advance
  session.request, session.asked = request, request
  local id = client.request(moment.bufnr, "textDocument/inlineCompletion", {
    textDocument = { uri = vim.uri_from_bufnr(moment.bufnr) },
    position = position.to_lsp(moment.bufnr, moment.row, moment.col, lsp_client.offset_encoding),
    context = { triggerKind = kind },
  }, function(_, result)
    answered(request, result) -- an error is no suggestion; the server's log has it
  end)
  if id then
    request.id = id
  elseif session.request == request then
    session.request = nil
  end
end

---@return boolean
local function asks_by_itself()
  return config.current.enabled and config.current.trigger == "auto" and not M.hidden_by_menu()
end

--- The text in front of the user changed, or insert mode began.
function M.changed()
  session.seen = moments.now()
  M.refresh()
  if asks_by_itself() then
    ask(AUTOMATIC)
  end
end

--- The cursor moved. With the text unchanged the server is told where to;
--- otherwise a change follows, and only the ghost text must not wait for it.
function M.moved()
  local moment = moments.now()
  local before = session.seen
  M.refresh()
  if not moments.same_text(before, moment) or moments.same(before, moment) then
    return
  end
  session.seen = moment
  local lsp_client = client.get(moment.bufnr)
  if lsp_client and config.current.enabled then
    local at = position.to_lsp(moment.bufnr, moment.row, moment.col, lsp_client.offset_encoding)
    client.notify(moment.bufnr, "tandem/didMoveCursor", { position = at })
  end
end

--- Insert mode begins. Only afterwards are mode and cursor what they will be.
function M.entered()
  vim.schedule(function()
    if moments.inserting() and not moments.same(session.seen, moments.now()) then
      M.changed()
    end
  end)
end

--- Insert mode ends, or the window is left: nothing is shown and nothing runs.
function M.left()
  cancel()
  forget()
  session.seen, session.told_shown = nil, nil
end

--- The server is gone, and its suggestions with it.
function M.gone()
  session.request = nil
  forget()
end

--- Asks once if the user is typing: the server has just become able to answer.
function M.able()
  if M.is_waiting() then
    session.request.early = true
  elseif moments.inserting() and asks_by_itself() and not M.fit() then
    ask(AUTOMATIC)
  end
end

--- Asks because the user said so.
function M.suggest()
  if moments.inserting() then
    session.seen = moments.now()
    ask(INVOKED)
  end
end

--- Takes the suggestion off; it comes back with the next change at the earliest.
function M.dismiss()
  cancel()
  forget()
end

--- Shows another suggestion: one that is there, or else the server is asked for more.
---@param step integer
function M.cycle(step)
  if not M.fit() then
    return M.suggest()
  end
  if #session.offered == 1 then
    return ask(INVOKED, step)
  end
  for _ = 1, #session.offered do
    session.index = (session.index - 1 + step) % #session.offered + 1
    if M.fit() then
      break -- the others no longer fit what was typed since
    end
  end
  M.refresh()
end

--- The place that the user means who wants to know why nothing is shown. At the
--- end of insert mode the cursor steps back, off the place that was asked about.
---@return tandem.Moment
function M.place()
  local moment, asked = moments.now(), session.asked
  if not asked or asked.bufnr ~= moment.bufnr or asked.row ~= moment.row or moments.inserting() then
    return moment
  end
  local between = vim.api.nvim_get_current_line():sub(moment.col + 1, asked.col)
  return vim.fn.strchars(between, true) == 1 and asked or moment
end

--- Whether the last request has no answer yet.
---@return boolean
function M.is_waiting()
  return session.request ~= nil and session.request.id ~= nil and client.is_running(session.request)
end

return M
