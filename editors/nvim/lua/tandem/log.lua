--- Messages to the user. Each text is shown once a session: a fault that comes
--- with every keystroke must not be told with every keystroke.
local M = {}

---@type table<string, boolean>
local told = {}

---@param message string
---@param level integer one of vim.log.levels
local function notify(message, level)
  vim.schedule(function()
    vim.notify("tandem: " .. message, level, { title = "tandem" })
  end)
end

--- Tells something that the user asked for.
---@param message string
function M.info(message)
  notify(message, vim.log.levels.INFO)
end

--- Tells a problem, with its remedy, unless it was told before.
---@param message string
function M.problem_once(message)
  if told[message] then
    return
  end
  told[message] = true
  notify(message, vim.log.levels.ERROR)
end

--- Forgets what was told: the user started anew.
function M.forget()
  told = {}
end

return M
