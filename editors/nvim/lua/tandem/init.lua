--- The functions that users call; see :help tandem.
local M = {}

local config = require("tandem.config")

--- The least Neovim: inline virtual text came with it.
local NEEDS = "nvim-0.10"

---@return integer augroup
local function augroup()
  return vim.api.nvim_create_augroup("tandem", { clear = true })
end

--- Events about buffers: whom to attach, and whom no longer.
---@param group integer
local function watch_buffers(group)
  local client = require("tandem.client")
  vim.api.nvim_create_autocmd({ "BufReadPost", "BufNewFile", "BufFilePost", "FileType" }, {
    group = group,
    callback = function(event)
      if client.wanted(event.buf) then
        client.attach(event.buf)
      else
        client.detach(event.buf)
      end
    end,
  })
end

--- Whoever draws: both have the same actions.
local function renderer()
  local core = require("tandem.core")
  return core.in_use() and core or require("tandem.session")
end

--- Events in insert mode.
---@param group integer
local function watch_typing(group)
  local session = require("tandem.session")
  local function on(events, callback, pattern)
    vim.api.nvim_create_autocmd(events, { group = group, pattern = pattern, callback = callback })
  end
  -- CTRL-C leaves insert mode without InsertLeave.
  on("ModeChanged", renderer().left, "i*:[^i]*")
  if renderer() ~= session then
    return -- the core sees to the rest
  end
  on("InsertEnter", session.entered)
  on({ "TextChangedI", "TextChangedP" }, session.changed) -- also when a completion menu opens and closes
  on("CursorMovedI", session.moved)
  on({ "BufLeave", "WinLeave" }, session.left)
end

--- What the client tells goes to whoever draws.
local function listen()
  local client, core = require("tandem.client"), require("tandem.core")
  client.listener = {
    connected = core.between,
    attached = function(bufnr)
      core.attached(bufnr)
      if bufnr == vim.api.nvim_get_current_buf() then
        renderer().able()
      end
    end,
    status = function(before)
      if vim.list_contains({ "unloaded", "downloading", "loading" }, before.state) then
        renderer().able()
      end
    end,
    gone = function()
      renderer().gone()
    end,
  }
end

--- Starts tandem with the user's settings; without any it works too.
---@param settings table? see |tandem-settings|
function M.setup(settings)
  local log = require("tandem.log")
  if vim.fn.has(NEEDS) == 0 then
    return log.problem("Neovim 0.10 or newer is needed: update Neovim")
  end
  for _, problem in ipairs(config.set(settings)) do
    log.problem(problem .. "; its default is used")
  end
  require("tandem.ghost").define_highlights()
  listen()
  local group = augroup()
  watch_buffers(group)
  watch_typing(group)
  vim.api.nvim_create_autocmd("ColorScheme", { group = group, callback = require("tandem.ghost").define_highlights })
  require("tandem.keymaps").set()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    require("tandem.client").attach(bufnr)
  end
end

--- Whether a suggestion is shown.
---@return boolean
function M.is_visible()
  return renderer().is_visible()
end

--- Whether suggest() would ask a server.
---@return boolean
function M.can_suggest()
  return require("tandem.client").get(vim.api.nvim_get_current_buf()) ~= nil
end

--- Accepts a part of what is shown.
---@param part "all"|"line"|"word"
---@return boolean accepted
local function accept(part)
  local core = require("tandem.core")
  if core.in_use() then
    return core.accept(require("tandem.suggestion")[part])
  end
  return require("tandem.accept")[part]()
end

--- Accepts all of the suggestion.
---@return boolean accepted false if nothing is shown
function M.accept()
  return accept("all")
end

--- Accepts it up to the end of the line; the rest stays shown.
---@return boolean accepted false if nothing is shown
function M.accept_line()
  return accept("line")
end

--- Accepts its next word; the rest stays shown.
---@return boolean accepted false if nothing is shown
function M.accept_word()
  return accept("word")
end

--- Takes the suggestion off and cancels what is asked.
function M.dismiss()
  renderer().dismiss()
end

--- Shows the next suggestion; if there is one only, the server is asked for more.
function M.next()
  renderer().cycle(1)
end

--- Shows the suggestion before.
function M.prev()
  renderer().cycle(-1)
end

--- Asks for a suggestion now: the way to ask with `trigger = "manual"`.
function M.suggest()
  renderer().suggest()
end

--- Turns completion off or on; the server goes on running.
---@param on boolean? nil: the other of the two
function M.toggle(on)
  if on == nil then
    on = not config.current.enabled
  end
  config.current.enabled = on
  if not on then
    M.dismiss()
  end
  vim.cmd.redrawstatus({ bang = true })
end

--- For a status line: "tandem", "tandem: loading 40%", "tandem: off", or "" in
--- a buffer that tandem has no part in.
---@param bufnr integer?
---@return string
function M.status(bufnr)
  return require("tandem.status").component(bufnr)
end

return M
