--- The same actions on vim.lsp.inline_completion, which Neovim has from 0.12
--- on and which asks and draws by itself. Written against its documentation
--- and source and NOT VERIFIED in a real 0.12: `renderer = "own"` is the way
--- back to what is tested.
local M = {}

local config = require("tandem.config")
local suggestion = require("tandem.suggestion")

--- Whether this Neovim has it and the user did not choose otherwise.
---@return boolean
function M.in_use()
  return config.current.renderer ~= "own" and vim.lsp.inline_completion ~= nil
end

--- Turns asking on or off for a buffer. The core asks by itself, so manual
--- mode leaves it off.
---@param bufnr integer
---@param on boolean
function M.enable(bufnr, on)
  vim.lsp.inline_completion.enable(on and config.current.trigger == "auto", { bufnr = bufnr })
end

--- Where an item goes. The fields of vim.Range changed while 0.12 was made.
---@param range any vim.Range
---@return integer row
---@return integer col
---@return integer end_col
local function place_of(range)
  if range.start_row then
    return range.start_row, range.start_col, range.end_col
  end
  return range.start.row, range.start.col, range.end_.col
end

--- Inserts a part of an item's text at the cursor. The core has taken its ghost
--- text off by then, and asks again because the text changed.
---@param item { insert_text: string|table, range: any, command: lsp.Command? }
---@param take fun(rest: string): string
---@return any item what the core shall insert; nil if it was done here
local function accept_part(item, take)
  local text = item.insert_text
  if type(text) ~= "string" or not item.range then
    return item
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, start, stop = place_of(item.range)
  local fit = suggestion.fit({
    bufnr = vim.api.nvim_get_current_buf(),
    row = row,
    start = start,
    text = text,
    after = vim.api.nvim_get_current_line():sub(cursor[2] + 1),
    right = math.max(stop - cursor[2], 0),
  }, cursor[1] - 1, cursor[2])
  local part = fit and take(fit.rest)
  if not fit or part == fit.rest then
    return item
  end
  require("tandem.accept").insert(fit, part, 0)
end

--- Accepts what is shown, or the part of it that `take` names.
---@param take (fun(rest: string): string)?
---@return boolean accepted
function M.accept(take)
  local opts = take and {
    on_accept = function(item)
      return accept_part(item, take)
    end,
  }
  return vim.lsp.inline_completion.get(opts)
end

--- Whether one is shown. The core does not tell, so it is the extmarks of its
--- namespace that do.
---@return boolean
function M.is_visible()
  local namespace = vim.api.nvim_get_namespaces()["nvim.lsp.inline_completion"]
  return namespace ~= nil and #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

--- Asks now, by turning it on for the buffer: it asks when it is turned on.
function M.suggest()
  vim.lsp.inline_completion.enable(true, { bufnr = vim.api.nvim_get_current_buf() })
end

--- Shows another one.
---@param step integer
function M.cycle(step)
  vim.lsp.inline_completion.select({ count = step })
end

--- Takes it off, by turning it off and on again: there is no other way.
function M.dismiss()
  local bufnr = vim.api.nvim_get_current_buf()
  M.enable(bufnr, false)
  M.enable(bufnr, true)
end

return M
