--- Maps keys in insert mode. While nothing is suggested a key does what it did
--- before: the mapping that was there, or the key itself.
local M = {}

local config = require("tandem.config")

--- What each action calls; all but `suggest` need something to be shown.
local calls = {
  accept = "accept()",
  accept_line = "accept_line()",
  accept_word = "accept_word()",
  dismiss = "dismiss()",
  next = "next()",
  prev = "prev()",
  suggest = "suggest()",
}

---@class tandem.Mapped
---@field lhs string
---@field action string
---@field before table? maparg() of the mapping that was there

---@type tandem.Mapped[]
local mapped = {}

--- Keys that were left to the user's mappings, for :checkhealth.
---@type { lhs: string, action: string, owner: string }[]
M.left_alone = {}

--- Copies a mapping to another key, in the script context that it had.
---@param map table from maparg()
---@param lhs string
local function copy_mapping(map, lhs)
  local copy = vim.deepcopy(map)
  copy.lhs, copy.lhsraw, copy.lhsrawalt = lhs, vim.api.nvim_replace_termcodes(lhs, true, true, true), nil
  copy.mode_bits, copy.mode = nil, "i"
  vim.fn.mapset("i", false, copy)
end

--- Puts a mapping of this module in place, and below a <Plug> name what the
--- key did before.
---@param action string
---@param lhs string
---@param before table? mapping that was there
local function map(action, lhs, before)
  local fallback = ("<Plug>(tandem-%s-fallback)"):format(action:gsub("_", "-"))
  if before then
    copy_mapping(before, fallback)
  else
    vim.keymap.set("i", fallback, lhs)
  end
  vim.keymap.set("i", lhs, function()
    local tandem = require("tandem")
    if action == "suggest" and tandem.can_suggest() or action ~= "suggest" and tandem.is_visible() then
      return ('<Cmd>lua require("tandem").%s<CR>'):format(calls[action])
    end
    return fallback
  end, { expr = true, remap = true, silent = true, desc = "tandem: " .. action:gsub("_", " ") })
  mapped[#mapped + 1] = { lhs = lhs, action = action, before = before }
end

--- Whether a mapping is one of Neovim's own defaults.
---@param map table from maparg()
---@return boolean
local function is_default(map)
  return (map.desc or ""):find("^vim%.") ~= nil
end

--- Maps the keys of the settings. A key of tandem's own choice never covers a
--- user's mapping, but for accepting: that one goes on as the fallback.
function M.set()
  M.remove()
  M.left_alone = {}
  local keymaps = config.current.keymaps
  for action in vim.spairs(keymaps or {}) do
    local lhs = keymaps[action]
    local before = lhs and vim.fn.maparg(lhs, "i", false, true)
    before = before and before.lhs and before.buffer == 0 and before or nil
    local free = not before or is_default(before) or action == "accept" or config.chosen_keys[action]
    if lhs and free then
      map(action, lhs, before)
    elseif lhs then
      table.insert(M.left_alone, { lhs = lhs, action = action, owner = before.desc or before.rhs or "a function" })
    end
  end
end

--- Takes the mappings off and puts back what was there, where they are still ours.
function M.remove()
  for _, m in ipairs(mapped) do
    local current = vim.fn.maparg(m.lhs, "i", false, true)
    if vim.startswith(current.desc or "", "tandem: ") then
      vim.keymap.del("i", m.lhs)
      if m.before then
        vim.fn.mapset("i", false, m.before)
      end
    end
  end
  mapped = {}
end

--- What is mapped now.
---@return tandem.Mapped[]
function M.list()
  return mapped
end

return M
