--- `:checkhealth tandem`.
local M = {}

local health = vim.health

local function check_neovim()
  health.start("tandem: Neovim")
  if vim.fn.has("nvim-0.10") == 0 then
    return health.error("Neovim 0.10 or newer is needed", "update Neovim")
  end
  health.ok("Neovim " .. tostring(vim.version()))
  if require("tandem.core").in_use() then
    health.ok("ghost text is drawn by vim.lsp.inline_completion; see :help tandem-core for what it cannot do")
  else
    health.ok("ghost text is drawn by the plugin")
  end
end

local function check_binary()
  health.start("tandem: binary")
  local config, binary = require("tandem.config").current, require("tandem.binary")
  local found, problem, done
  binary.check(config.binary, function(f, p)
    found, problem, done = f, p, true
  end)
  vim.wait(12000, function()
    return done
  end, 20)
  if not found then
    return health.error(problem or "`tandem version` does not end", {
      "build it: `make build` in the repository",
      "put it on PATH, or name it: require('tandem').setup({ binary = '/path/to/tandem' })",
    })
  end
  health.ok(("%s, version %s, found through %s"):format(found.path, found.version, found.from))
end

local function check_server()
  health.start("tandem: server")
  local status = require("tandem.status").current
  local line = table.concat(require("tandem.status").describe(), "\n")
  if status.state == "error" then
    health.error(line, ":Tandem log tells why, :Tandem restart tries again")
  elseif status.state == "stopped" then
    health.info("not started: it starts with the first file that is opened after setup()")
  else
    health.ok(line)
  end
  local client, attached = require("tandem.client"), 0
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    local why = vim.bo[bufnr].buflisted and client.why_not(bufnr)
    attached = attached + (client.get(bufnr) and 1 or 0)
    if why then
      health.info(("buffer %d (%s): %s"):format(bufnr, vim.fs.basename(vim.api.nvim_buf_get_name(bufnr)), why))
    end
  end
  health.info(("%d buffers attached"):format(attached))
end

local function check_keys()
  health.start("tandem: keys")
  local keymaps = require("tandem.keymaps")
  for _, m in ipairs(keymaps.list()) do
    local now = vim.fn.maparg(m.lhs, "i", false, true)
    if vim.startswith(now.desc or "", "tandem: ") then
      health.ok(("%s: %s"):format(m.lhs, m.action))
    else
      health.warn(("%s: %s was mapped, but something mapped it again"):format(m.lhs, m.action), {
        "call setup() after it, or choose another key in `keymaps`",
      })
    end
  end
  for _, key in ipairs(keymaps.left_alone) do
    health.warn(("%s: %s is not mapped: %s has the key"):format(key.lhs, key.action, key.owner), {
      ("choose a key: keymaps = { %s = '...' }, or false for none"):format(key.action),
    })
  end
end

--- Called by Neovim.
function M.check()
  check_neovim()
  check_binary()
  check_server()
  check_keys()
end

return M
