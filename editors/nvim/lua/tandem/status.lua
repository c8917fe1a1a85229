--- What the server said of itself last, and the words for it.
local M = {}

---@type tandem.Status
M.current = { state = "stopped" }

--- Says it to status lines: they redraw, and plugins hear `User TandemStatus`.
local function announce()
  vim.api.nvim_exec_autocmds("User", { pattern = "TandemStatus", modeline = false, data = M.current })
  vim.cmd.redrawstatus({ bang = true })
end

--- Takes over a new status. JSON's null counts as nothing.
---@param status tandem.Status
function M.set(status)
  local new = {}
  for _, key in ipairs({ "state", "message", "model", "progress" }) do
    if status[key] ~= vim.NIL then
      new[key] = status[key]
    end
  end
  M.current = new
  announce()
end

---@param progress number 0 to 1
---@return integer
local function percent(progress)
  return math.floor(progress * 100 + 0.5)
end

--- A component for a status line: short, and "" where tandem has no part in the buffer.
---@param bufnr integer?
---@return string
function M.component(bufnr)
  local client = require("tandem.client")
  if not client.wanted(bufnr or vim.api.nvim_get_current_buf()) then
    return ""
  end
  if not require("tandem.config").current.enabled then
    return "tandem: off"
  end
  local now = M.current
  if now.state == "ready" then
    return "tandem"
  end
  local progress = now.progress and (" %d%%"):format(percent(now.progress)) or ""
  return "tandem: " .. now.state .. progress
end

--- The whole of it, for `:Tandem status`.
---@param bufnr integer? a buffer to speak of too
---@return string[] lines
function M.describe(bufnr)
  local client, config = require("tandem.client"), require("tandem.config").current
  local now = M.current
  local lines = { "state: " .. now.state .. (now.progress and (" %d%%"):format(percent(now.progress)) or "") }
  local function add(name, value)
    if value and value ~= "" then
      lines[#lines + 1] = name .. ": " .. value
    end
  end
  add("message", now.message ~= now.state and now.message or nil)
  add("model", now.model)
  local binary = client.binary()
  add("binary", binary and ("%s (%s, from %s)"):format(binary.path, binary.version or "version not known", binary.from))
  add("completion", config.enabled and ("on, trigger = " .. config.trigger) or "off: :Tandem toggle turns it on")
  if bufnr then
    add("this buffer", client.why_not(bufnr) or "attached")
  end
  return lines
end

return M
