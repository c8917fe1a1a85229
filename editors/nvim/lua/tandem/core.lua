--- The actions of session.lua on vim.lsp.inline_completion, which Neovim has
--- from 0.12 on, and which asks and draws by itself. Not the default: measured
--- in 0.12.4 with keys 50 ms apart, it showed text that no longer fitted in 11
--- of 26 frames, the plugin's own ghost text in 0 of 38. Such text is taken off
--- here (0 of 24 then), but what it shows still comes 200 ms later.
---
--- It has no function to ask, and turning it off while an answer is on its way
--- is an error in it. So it stays on, and what it asks and is answered passes
--- `between`, which sends only what the settings allow, hands over only what
--- fits, and forgets the rest.
local M = {}

local client = require("tandem.client")
local config = require("tandem.config")
local moments = require("tandem.moment")
local session = require("tandem.session")
local suggestion = require("tandem.suggestion")

local METHOD = "textDocument/inlineCompletion"
--- LSP's InlineCompletionTriggerKind.
local INVOKED, AUTOMATIC = 1, 2
--- The core inserts in a later turn of the event loop, which is due at once.
local ACCEPT_WITHIN_MS = 1000

---@class tandem.Core
---@field offered tandem.Suggestion[] of the last answer that fitted
---@field request tandem.Request? the last one; its answer may be there already
---@field invoked tandem.Moment? where the user asked, until the core does
---@field advance integer? items to step on once that is answered
---@field dismissed tandem.Moment? where nothing is to be shown until the text changes
local core = { offered = {} }

--- Whether the user chose it.
---@return boolean
function M.in_use()
  return config.current.renderer == "core"
end

---@return integer
local function namespace()
  return vim.api.nvim_create_namespace("nvim.lsp.inline_completion")
end

--- How a suggestion fits here and now.
---@param s tandem.Suggestion
---@return tandem.Fit?
local function fit(s)
  local now = moments.now()
  return s.bufnr == now.bufnr and suggestion.fit(s, now.row, now.col) or nil
end

--- Whether what the core draws is right. Text of another server is the core's matter.
---@return boolean
local function holds()
  if #vim.lsp.get_clients({ bufnr = 0, method = METHOD }) > 1 then
    return true
  end
  return not session.hidden_by_menu() and vim.iter(core.offered):any(fit)
end

--- Whether one is shown. The core does not tell; the extmarks of its namespace do.
---@return boolean
function M.is_visible()
  return #vim.api.nvim_buf_get_extmarks(0, namespace(), 0, -1, { limit = 1 }) > 0 and holds()
end

--- Takes off what the core goes on drawing though it does not fit any more.
local function refresh()
  if M.in_use() and not holds() then
    vim.api.nvim_buf_clear_namespace(0, namespace(), 0, -1)
  end
end

--- The server is there for a buffer: the core's inline completion is on for it
--- if the user chose that, and off also where it is on for all servers.
---@param bufnr integer
function M.attached(bufnr)
  local lsp_client = client.get(bufnr)
  if not vim.lsp.inline_completion or not lsp_client then
    return
  end
  if not M.in_use() then
    return vim.lsp.inline_completion.enable(false, { client_id = lsp_client.id })
  end
  local enable, one = vim.lsp.inline_completion.enable, { bufnr = bufnr, client_id = lsp_client.id }
  enable(true, { bufnr = bufnr }) -- or else a server that ends leaves the core with a client that is gone
  enable(false, one) -- what is on already begins in a later turn of the event loop only
  enable(true, one)
  local group = vim.api.nvim_create_augroup("tandem.core", { clear = false })
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  -- Made after the core's own, so that they run after it has drawn.
  vim.api.nvim_create_autocmd({ "CursorMovedI", "TextChangedI", "TextChangedP" }, {
    group = group,
    buffer = bufnr,
    callback = refresh,
  })
end

--- Has the core ask: it does so 200 ms after an event that it waits for.
local function ask()
  local bufnr = vim.api.nvim_get_current_buf()
  if moments.inserting() and client.get(bufnr) then
    local group = ("nvim.lsp.inline_completion:%d"):format(bufnr)
    vim.api.nvim_exec_autocmds("InsertEnter", { group = group, buffer = bufnr, modeline = false })
    refresh()
  end
end

--- Whether a request of the core is to be sent, and with which kind.
---@param now tandem.Moment
---@return integer? kind nil: not at all
local function kind_of(now)
  if moments.same(core.invoked, now) then
    return INVOKED
  end
  local on = config.current.enabled and config.current.trigger == "auto"
  local silent = moments.same_text(core.dismissed, now) or session.hidden_by_menu()
  return on and not silent and AUTOMATIC or nil
end

--- The part of an answer that is for what is on the screen.
---@param request tandem.Request
---@param params lsp.InlineCompletionParams
---@param result lsp.InlineCompletionList|lsp.InlineCompletionItem[]|nil
---@return lsp.InlineCompletionItem[]? items nil leaves what is shown
local function fitting(request, params, result)
  local lsp_client = client.get(request.bufnr)
  local wanted = request == core.request and moments.inserting() and moments.same(request, moments.now())
  if not wanted or not lsp_client or type(result) ~= "table" then
    return nil
  end
  local items, offered = {}, {}
  for _, item in ipairs(result.items or result) do
    local s = suggestion.from_item(item, request, lsp_client.offset_encoding)
    if s and fit(s) then
      -- Without a range the core would draw it at the cursor wherever that is later.
      item.range = item.range or { start = params.position, ["end"] = params.position }
      items[#items + 1], offered[#offered + 1] = item, s
    end
  end
  if #items == 0 then
    return nil
  end
  core.offered = offered
  return items
end

--- Stands between the core and the server.
---@param rpc vim.lsp.rpc.PublicClient
---@return vim.lsp.rpc.PublicClient
function M.between(rpc)
  if not M.in_use() then
    return rpc
  end
  local function request(method, params, callback, notify_reply)
    if method ~= METHOD then
      return rpc.request(method, params, callback, notify_reply)
    end
    local asked = moments.now() ---@type tandem.Request
    local kind = kind_of(asked)
    asked.advance = kind == INVOKED and core.advance or nil
    core.invoked, core.advance = nil, nil
    if not kind then
      return false
    end
    params.context.triggerKind = kind
    core.request = asked
    local ok, id = rpc.request(method, params, function(_, result)
      local items = fitting(asked, params, result)
      callback(nil, items) -- an error is no suggestion; the server's log has it
      if items and asked.advance then
        vim.lsp.inline_completion.select({ count = asked.advance })
      end
    end, notify_reply)
    local lsp_client = client.get(asked.bufnr)
    if ok and lsp_client then
      asked.id, asked.client_id = id, lsp_client.id
    end
    return ok, id
  end
  return vim.tbl_extend("force", rpc, { request = request })
end

--- Of what was offered the one that the core shows.
---@param item vim.lsp.inline_completion.Item
---@return tandem.Suggestion? s nil if it is another server's
local function of_item(item)
  return vim.iter(core.offered):find(function(s)
    return s.text == item.insert_text and s.command == item.command
  end)
end

--- Accepts the part of what is shown that `take` names. The text is put in as
--- with the plugin's own ghost text; what another server suggests, as the core
--- does it.
---@param take fun(rest: string): string
---@return boolean accepted
function M.accept(take)
  local done, accepted, left = false, false, false
  local function on_accept(item)
    done = true
    local s = of_item(item)
    local it_fits = s and fit(s)
    accepted = it_fits ~= nil or s == nil
    if it_fits then
      left = not require("tandem.accept").take(it_fits, take)
    end
    return s == nil and item or nil
  end
  if not M.is_visible() or not vim.lsp.inline_completion.get({ on_accept = on_accept }) then
    return false
  end
  vim.wait(ACCEPT_WITHIN_MS, function() -- or else keys that are typed already come first
    return done
  end, 1)
  if left then
    M.suggest() -- the rest comes with the next answer, in manual mode too
  end
  return accepted
end

--- Asks because the user said so.
function M.suggest()
  core.invoked, core.dismissed = moments.now(), nil
  ask()
end

--- Asks once if the user is typing: the server has just become able to answer.
function M.able()
  if not M.is_visible() then
    ask()
  end
end

--- Shows another suggestion: one that is there, or else the server is asked for more.
---@param step integer
function M.cycle(step)
  if M.is_visible() and #core.offered > 1 then
    return vim.lsp.inline_completion.select({ count = step })
  end
  core.advance = M.is_visible() and step or nil
  M.suggest()
end

--- Forgets what was asked and offered.
local function forget()
  if core.request and core.request.id then
    client.cancel(core.request)
  end
  core.offered, core.request, core.invoked = {}, nil, nil
  -- The way to make the core forget its text is to accept it and put in nothing.
  vim.lsp.inline_completion.get({ on_accept = function() end })
  refresh()
end

--- Takes the suggestion off; it comes back with the next change at the earliest.
function M.dismiss()
  core.dismissed = moments.now()
  forget()
end

--- Insert mode ends. The core hears of <Esc> alone.
M.left = forget

--- The server is gone, and its suggestions with it.
M.gone = forget

return M
