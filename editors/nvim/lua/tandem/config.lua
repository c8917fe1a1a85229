--- The user's settings: defaults, merging and checking. Knows no policy:
--- debounce, caching and stop rules are settings of the server.
local M = {}

---@type tandem.Config
M.defaults = {
  enabled = true,
  trigger = "auto",
  filetypes = { ["*"] = true },
  popup = "hide",
  renderer = "own",
  keymaps = {
    accept = "<Tab>",
    accept_line = "<M-l>",
    accept_word = "<M-w>",
    dismiss = "<C-]>",
    next = "<M-]>",
    prev = false, -- <M-[> begins the escape sequences of many terminals
    suggest = "<M-\\>",
  },
  binary = nil,
  args = { "lsp" },
  env = nil,
  init_options = nil,
  settings = nil,
  restart = { times = 3, delay_ms = 1000, stable_ms = 60000 },
}

--- In force; the defaults until setup().
---@type tandem.Config
M.current = vim.deepcopy(M.defaults)

--- Actions whose key the user named: those may cover a mapping that was there.
---@type table<string, boolean>
M.chosen_keys = {}

--- Allowed values of the settings that name one.
local choices = {
  trigger = { "auto", "manual" },
  popup = { "hide", "show" },
  renderer = { "own", "core" },
}

--- Types of the settings; with ? a setting may be left out.
local types = {
  enabled = "boolean",
  trigger = "string",
  filetypes = "table",
  popup = "string",
  renderer = "string",
  keymaps = "table|false",
  binary = "string?",
  args = "table",
  env = "table?",
  init_options = "table?",
  settings = "table?",
  restart = "table",
}

---@param value any
---@param wanted string one of the values of `types`
---@return boolean
local function has_type(value, wanted)
  if value == nil then
    return wanted:sub(-1) == "?"
  end
  if value == false and wanted:find("|false", 1, true) then
    return true
  end
  return type(value) == wanted:gsub("%?$", ""):gsub("|false$", "")
end

--- What is wrong with a setting, with its remedy.
---@param key string
---@param value any
---@return string? problem nil if it is sound
local function problem_of(key, value)
  local wanted = types[key]
  if not wanted then
    return ("there is no setting %q; see :help tandem-settings"):format(key)
  end
  if not has_type(value, wanted) then
    return ("%s must be %s, not %s"):format(key, wanted, vim.inspect(value))
  end
  if choices[key] and not vim.tbl_contains(choices[key], value) then
    return ('%s must be "%s", not %q'):format(key, table.concat(choices[key], '" or "'), value)
  end
  if key == "renderer" and value == "core" and not vim.lsp.inline_completion then
    return 'renderer "core" needs vim.lsp.inline_completion, which Neovim has from 0.12 on'
  end
  for action in pairs(key == "keymaps" and value or {}) do
    if M.defaults.keymaps[action] == nil then
      return ("there is no keymap %q; see :help tandem-keys"):format(action)
    end
  end
end

--- Merges the user's settings over the defaults. In place of a wrong one its
--- default is used, so that what is in force is always sound.
---@param user table?
---@return string[] problems
function M.set(user)
  user = user or {}
  local merged = vim.tbl_deep_extend("force", vim.deepcopy(M.defaults), user)
  local problems = {}
  for key in vim.spairs(merged) do
    local problem = problem_of(key, merged[key])
    if problem then
      problems[#problems + 1] = problem
      merged[key] = vim.deepcopy(M.defaults[key])
    end
  end
  M.current = merged
  M.chosen_keys = {}
  for action in pairs(type(user.keymaps) == "table" and user.keymaps or {}) do
    M.chosen_keys[action] = true
  end
  return problems
end

--- Whether the user wants completion in buffers of this filetype.
---@param filetype string
---@return boolean
function M.filetype_on(filetype)
  local one = M.current.filetypes[filetype]
  if one == nil then
    return M.current.filetypes["*"] ~= false
  end
  return one
end

return M
