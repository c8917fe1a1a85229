--- A Neovim of its own for one test, driven as a user drives it: by keys. What
--- it shows is read back from its screen and its extmarks.
local Child = {}
Child.__index = Child

local tests, scratch = os.getenv("TANDEM_TESTS"), os.getenv("TANDEM_SCRATCH")
--- After so long something hangs; how fast anything is, no test asks.
local DEADLINE_MS = 60000
local count = 0

--- Whether the server is the real one.
Child.real = (os.getenv("TANDEM_BIN") or "") ~= ""

---@param path string
---@param text string
local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- What a test may say of its Neovim.
---@class tandem.ChildOptions
---@field settings table? of setup()
---@field script table? of the scripted server
---@field lines string[]? of the file
---@field file string? its name
---@field before string? Lua that runs before setup()
---@field no_setup boolean?
---@field env table<string, string>?

--- Starts Neovim with the plugin, and opens a file.
---@param opts tandem.ChildOptions?
function Child.new(opts)
  opts = opts or {}
  count = count + 1
  local dir = ("%s/%d"):format(scratch, count)
  vim.fn.mkdir(dir .. "/files", "p")
  local self = setmetatable({ dir = dir, record_path = dir .. "/record", script_path = dir .. "/script" }, Child)
  self:script(opts.script or {})
  self.binary = Child.real and os.getenv("TANDEM_BIN") or dir .. "/tandem"
  if not Child.real then
    write(self.binary, ('#!/bin/sh\nexec "$NVIM_PROGRAM" --clean -l "%s/server.lua" "$@"\n'):format(tests))
    vim.fn.setfperm(self.binary, "rwxr-xr-x")
  end
  local env = { TANDEM_SCRIPT = self.script_path, TANDEM_RECORD = self.record_path, NVIM_PROGRAM = os.getenv("NVIM") }
  local plugin = vim.fn.fnamemodify(tests, ":h")
  self.channel = vim.fn.jobstart({
    os.getenv("NVIM"), "--clean", "--embed", "--headless", "-n", "--listen", dir .. "/socket",
    "--cmd", "set rtp^=" .. vim.fn.fnameescape(plugin), "--cmd", "set columns=80 lines=24",
  }, { rpc = true, env = vim.tbl_extend("force", env, opts.env or {}), cwd = dir .. "/files" })
  assert(self.channel > 0, "Neovim does not start")
  self:lua([[
    _G.messages = {}
    vim.notify = function(message) table.insert(_G.messages, message) end
  ]])
  if opts.before then
    self:lua(opts.before)
  end
  self.path = dir .. "/files/" .. (opts.file or "demo.py")
  write(self.path, table.concat(opts.lines or { "" }, "\n") .. "\n")
  local settings = { binary = self.binary, restart = { delay_ms = 20 } }
  self.settings = vim.tbl_deep_extend("force", settings, opts.settings or {})
  if not opts.no_setup then
    self:lua([[require("tandem").setup(...)]], self.settings)
  end
  self:command("edit " .. vim.fn.fnameescape(self.path))
  return self
end

--- Changes what the scripted server answers from now on.
---@param script table
function Child:script(script)
  write(self.script_path .. ".new", vim.json.encode(script))
  assert(vim.uv.fs_rename(self.script_path .. ".new", self.script_path))
end

---@param code string
function Child:lua(code, ...)
  return vim.rpcrequest(self.channel, "nvim_exec_lua", code, { ... })
end

---@param command string
function Child:command(command)
  return vim.rpcrequest(self.channel, "nvim_command", command)
end

--- Types keys as a terminal would send them, without waiting for their effect.
---@param keys string
function Child:type(keys)
  while #keys > 0 do
    local taken = vim.rpcrequest(self.channel, "nvim_input", keys)
    keys = keys:sub(taken + 1)
  end
end

--- Types keys one by one, each after the one before had its effect.
---@param keys string without special ones
function Child:type_each(keys)
  for key in vim.gsplit(keys, "") do
    local tick = self:lua("return vim.b.changedtick")
    self:type((key:gsub("<", "<lt>")))
    self:wait("the key is there: " .. key, function()
      return self:lua("return vim.b.changedtick") > tick
    end)
    self:settle()
  end
end

--- Waits until a condition holds; the test fails at the deadline.
---@param what string
---@param condition fun(): any
---@param deadline_ms integer?
function Child:wait(what, condition, deadline_ms)
  local value
  local ok = vim.wait(deadline_ms or DEADLINE_MS, function()
    value = condition()
    return value and true or false
  end, 5)
  if not ok then
    error(("never: %s\n%s"):format(what, self:describe()), 2)
  end
  return value
end

--- Waits until all keys typed so far are worked off.
function Child:settle()
  self:lua([[_G.settled = nil]])
  self:lua([[vim.schedule(function() vim.schedule(function() _G.settled = true end) end)]])
  self:wait("the keys are worked off", function()
    return self:lua([[return _G.settled and #vim.fn.getcharstr(1) == 0]])
  end)
end

--- Waits until the server answers for the buffer.
function Child:ready()
  self:wait("the server is ready", function()
    local attached = self:lua([[return require("tandem.client").get(0) ~= nil]])
    -- The real one may load its model only when it is asked.
    return attached and (Child.real or self:lua([[return require("tandem.status").current.state == "ready"]]))
  end)
  return self
end

--- The ghost text as extmarks say it; "" for none. Lines below come after \n;
--- text that covers the buffer's own is in «». Whoever draws it.
---@return string
function Child:ghost()
  return self:lua([[
    local namespaces, marks = vim.api.nvim_get_namespaces(), {}
    for _, name in ipairs({ "tandem.ghost", "nvim.lsp.inline_completion" }) do
      local ns = namespaces[name]
      vim.list_extend(marks, ns and vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true }) or {})
    end
    local out, below = "", ""
    for _, mark in ipairs(marks) do
      local details = mark[4]
      local text = table.concat(vim.tbl_map(function(c) return c[1] end, details.virt_text or {}))
      out = out .. (details.virt_text_pos == "overlay" and "«" .. text .. "»" or text)
      for _, line in ipairs(details.virt_lines or {}) do
        below = below .. "\n" .. table.concat(vim.tbl_map(function(c) return c[1] end, line))
      end
    end
    return out .. below
  ]])
end

--- Waits for a ghost text, for this one if it is given, and returns it.
---@param wanted string?
---@return string
function Child:wait_ghost(wanted)
  return self:wait("ghost text " .. (wanted and vim.inspect(wanted) or ""), function()
    local ghost = self:ghost()
    return (wanted == nil and ghost ~= "" or ghost == wanted) and ghost
  end, Child.real and 120000 or nil)
end

--- What accepting would insert, when all that was asked is answered.
---@return string
function Child:wait_rest()
  self:wait_ghost()
  return self:wait("nothing is asked", function()
    return self:running() == 0 and self:lua([[
      local fit = require("tandem.session").fit()
      return fit and fit.rest
    ]])
  end, Child.real and 120000 or nil)
end

--- Waits until no ghost text is there.
function Child:wait_none()
  self:wait("no ghost text", function()
    return self:ghost() == ""
  end)
end

---@return string[]
function Child:lines()
  return self:lua([[return vim.api.nvim_buf_get_lines(0, 0, -1, false)]])
end

---@return [integer, integer] line from one, byte column from zero
function Child:cursor()
  return self:lua([[return vim.api.nvim_win_get_cursor(0)]])
end

---@return string
function Child:mode()
  return vim.rpcrequest(self.channel, "nvim_get_mode").mode
end

--- A line of the screen as it is drawn, without the white space at its end.
---@param row integer from one
---@return string
function Child:screen(row)
  return self:lua([[
    vim.cmd.redraw()
    local out = ""
    for col = 1, vim.o.columns do out = out .. vim.fn.screenstring(..., col) end
    return (out:gsub("%s+$", ""))
  ]], row)
end

--- Messages that vim.notify got.
---@return string[]
function Child:messages()
  return self:lua([[return _G.messages]])
end

--- What the scripted server has recorded of a method.
---@param path string
---@param method string
---@return table[]
local function recorded(path, method)
  local file, out = io.open(path, "r"), {}
  for line in file and file:lines() or function() end do
    local message = vim.json.decode(line)
    if message.method == method then
      out[#out + 1] = message
    end
  end
  if file then
    file:close()
  end
  return out
end

--- What the scripted server received of a method: all that was sent up to now.
--- It reads in order, so it is asked something more, and has recorded the rest
--- when it answers. One that is gone recorded what it could.
---@param method string
---@return table[]
function Child:received(method)
  self:lua([[
    _G.unheard = {}
    for _, client in ipairs(vim.lsp.get_clients({ name = "tandem" })) do
      _G.unheard[client.id] = client.rpc.request("test/heard", nil, function()
        _G.unheard[client.id] = nil
      end) or nil
    end
  ]])
  self:wait("the server has heard all", function()
    return self:lua([[
      for id in pairs(_G.unheard) do
        if vim.lsp.get_client_by_id(id) then return false end
      end
      return true
    ]])
  end)
  return recorded(self.record_path, method)
end

--- Waits until the server received so many of a method, and returns them.
---@param method string
---@param n integer
---@return table[]
function Child:wait_received(method, n)
  self:wait(("%d times %s"):format(n, method), function()
    return #recorded(self.record_path, method) >= n
  end)
  return self:received(method)
end

--- Has the scripted server give the answers that it holds.
function Child:release()
  self:lua([[
    for _, client in ipairs(vim.lsp.get_clients({ name = "tandem" })) do
      client.rpc.notify("test/release")
    end
  ]])
end

--- From now on keeps the frames that a user would see.
function Child:watch()
  self.ui = require("ui").attach(self.dir .. "/socket", 80, 24)
  self.ui:sync()
  self.ui.frames = {}
end

--- The frames since watch(), the last one included.
---@return tandem.Frame[]
function Child:frames()
  self.ui:sync()
  return self.ui.frames
end

--- Requests of the client that have no answer.
---@return integer
function Child:running()
  return self:lua([[
    local client = require("tandem.client").get(0)
    local n = 0
    for _, r in pairs(client and client.requests or {}) do n = n + (r.type == "pending" and 1 or 0) end
    return n
  ]])
end

--- For the message of a failed test.
---@return string
function Child:describe()
  local ok, text = pcall(function()
    return vim.inspect({
      mode = self:mode(),
      lines = self:lines(),
      cursor = self:cursor(),
      ghost = self:ghost(),
      messages = self:messages(),
      errors = self:lua([[return vim.v.errmsg]]),
    })
  end)
  return ok and text or "Neovim is gone: " .. tostring(text)
end

function Child:close()
  if self.ui then
    self.ui:close()
  end
  pcall(vim.rpcrequest, self.channel, "nvim_command", "qall!")
  vim.fn.jobwait({ self.channel }, 3000)
  vim.fn.jobstop(self.channel)
end

return Child
