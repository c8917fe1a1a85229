--- Messages to the user. Never from within an event: a message may redraw.
local M = {}

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

--- Tells a problem, with its remedy.
---@param message string
function M.problem(message)
  notify(message, vim.log.levels.ERROR)
end

return M
