--- The one server of this Neovim: starting, attaching buffers, restarting after
--- a crash. Knows nothing of ghost text; whoever does, listens.
local M = {}

local binary = require("tandem.binary")
local config = require("tandem.config")
local log = require("tandem.log")
local status = require("tandem.status")

--- Called when the server is there for a buffer, when it said something of
--- itself, and when it is gone; `connected` may put something between Neovim
--- and the server.
---@class tandem.Listener
---@field connected fun(rpc: vim.lsp.rpc.PublicClient): vim.lsp.rpc.PublicClient
---@field attached fun(bufnr: integer)
---@field status fun(before: tandem.Status)
---@field gone fun()
M.listener = { attached = function() end, status = function() end, gone = function() end }
M.listener.connected = function(rpc)
  return rpc
end

---@class tandem.Server
---@field phase "down"|"checking"|"up"|"waiting"|"failed" waiting: for the next restart; failed: until the user restarts
---@field client_id integer?
---@field binary tandem.Binary?
---@field crashes integer in a row
---@field started_ms integer
---@field generation integer counts starts: what belongs to an older one is ignored
---@field start_again boolean the end that is coming was asked for by restart()
local server = { phase = "down", crashes = 0, started_ms = 0, generation = 0, start_again = false }

--- Before 0.11 the methods of a client took no self.
local methods_take_self = vim.fn.has("nvim-0.11") == 1

---@param client vim.lsp.Client
---@param method string
---@return any
local function call(client, method, ...)
  if methods_take_self then
    return client[method](client, ...)
  end
  return client[method](...)
end

--- The binary that runs or was found last.
---@return tandem.Binary?
function M.binary()
  return server.binary
end

--- Why a buffer has no completion, in words; nil if it is attached.
---@param bufnr integer
---@return string?
function M.why_not(bufnr)
  if not vim.api.nvim_buf_is_valid(bufnr) or not vim.api.nvim_buf_is_loaded(bufnr) then
    return "not loaded"
  end
  local name, filetype = vim.api.nvim_buf_get_name(bufnr), vim.bo[bufnr].filetype
  if vim.bo[bufnr].buftype ~= "" then
    return ("not a file: buftype is %q"):format(vim.bo[bufnr].buftype)
  end
  if name == "" or name:find("^%a[%w+.-]+://") then
    return "not a file: " .. (name == "" and "it has no name yet" or name)
  end
  if not config.filetype_on(filetype) then
    return ("filetype %q is off in the settings"):format(filetype)
  end
  if not M.get(bufnr) then
    return "the server is not there (" .. status.current.state .. ")"
  end
end

--- Whether a buffer should be attached: a normal file of a filetype that is not off.
---@param bufnr integer
---@return boolean
function M.wanted(bufnr)
  local why = M.why_not(bufnr)
  return why == nil or vim.startswith(why, "the server")
end

--- The initialized client of a buffer.
---@param bufnr integer 0 for the current one
---@return vim.lsp.Client?
function M.get(bufnr)
  bufnr = bufnr == 0 and vim.api.nvim_get_current_buf() or bufnr
  local client = server.client_id and vim.lsp.get_client_by_id(server.client_id)
  if client and client.initialized and client.attached_buffers[bufnr] then
    return client
  end
end

--- Sends a notification about a buffer; nothing happens if it has no server.
---@param bufnr integer
---@param method string
---@param params table gets `textDocument`
function M.notify(bufnr, method, params)
  local client = M.get(bufnr)
  if client then
    params.textDocument = { uri = vim.uri_from_bufnr(bufnr) }
    call(client, "notify", method, params)
  end
end

--- Sends a request. Superseded and cancelled ones never call back.
---@param bufnr integer
---@param method string
---@param params table
---@param done fun(err: lsp.ResponseError?, result: any)
---@return integer? id nil if there is no server
function M.request(bufnr, method, params, done)
  local client = M.get(bufnr)
  if not client then
    return nil
  end
  local handler = function(err, result)
    done(err, result ~= vim.NIL and result or nil)
  end
  local ok, id = call(client, "request", method, params, handler, bufnr)
  return ok and id or nil
end

--- Whether a request has no answer yet.
---@param request tandem.Request
---@return boolean
function M.is_running(request)
  local client = vim.lsp.get_client_by_id(request.client_id)
  local entry = client and client.requests[request.id]
  return entry ~= nil and entry.type == "pending"
end

--- Cancels a request that has no answer yet.
---@param request tandem.Request
function M.cancel(request)
  local client = vim.lsp.get_client_by_id(request.client_id)
  if client and M.is_running(request) then
    call(client, "cancel_request", request.id)
  end
end

--- Neovim 0.11 has the method but does not tell servers so. UTF-8 spares the
--- conversion of columns; before 0.11 clients of one buffer that count
--- differently made Neovim warn, so there UTF-16 comes first.
---@return lsp.ClientCapabilities
local function capabilities()
  local caps = vim.lsp.protocol.make_client_capabilities()
  caps.textDocument.inlineCompletion = { dynamicRegistration = false }
  caps.general = caps.general or {}
  caps.general.positionEncodings = methods_take_self and { "utf-8", "utf-16", "utf-32" } or { "utf-16", "utf-8", "utf-32" }
  return caps
end

---@param bufnr integer
---@return string
local function root_of(bufnr)
  return vim.fs.root(bufnr, { ".git", ".hg", ".jj" }) or vim.fs.dirname(vim.api.nvim_buf_get_name(bufnr))
end

--- Tells the server of a buffer's folder that it does not know yet: there is
--- one server for all of them.
---@param client vim.lsp.Client
---@param bufnr integer
local function add_folder(client, bufnr)
  local root = root_of(bufnr)
  local folder = { uri = vim.uri_from_fname(root), name = root }
  client.workspace_folders = client.workspace_folders or {}
  for _, known in ipairs(client.workspace_folders) do
    if vim.startswith(folder.uri .. "/", known.uri .. "/") then
      return
    end
  end
  table.insert(client.workspace_folders, folder)
  local event = { added = { folder }, removed = {} }
  call(client, "notify", "workspace/didChangeWorkspaceFolders", { event = event })
end

--- What workspace/configuration asks for, from the user's settings.
---@param params lsp.ConfigurationParams
---@return table
function M.settings(params)
  local answer = {}
  for i, item in ipairs(params.items) do
    local path = vim.split((item.section or ""):gsub("^tandem%.?", ""), ".", { plain = true, trimempty = true })
    local value = vim.tbl_get({ config.current.settings or vim.empty_dict() }, 1, unpack(path))
    answer[i] = value == nil and vim.NIL or value
  end
  return answer
end

---@param _ lsp.ResponseError?
---@param params tandem.Status
local function on_status(_, params)
  local before = status.current
  status.set(params)
  M.listener.status(before)
end

--- What the server tells the user goes the way of the plugin's own messages,
--- which notification plugins show without a prompt that stops the typing.
---@param _ lsp.ResponseError?
---@param params lsp.ShowMessageParams
local function on_message(_, params)
  local tell = params.type == vim.lsp.protocol.MessageType.Error and log.problem or log.info
  tell(params.message)
end

--- Ends the process's own way of ending: Neovim would tell every crash by
--- itself, also those that a restart mends.
---@param argv string[]
---@param generation integer
---@return fun(dispatchers: vim.lsp.rpc.Dispatchers): vim.lsp.rpc.PublicClient
local function spawner(argv, generation)
  return function(dispatchers)
    local told = dispatchers.on_exit
    local wrapped = vim.tbl_extend("force", dispatchers, {
      on_exit = function(code, signal)
        told(0, 0)
        vim.schedule(function()
          M.on_exit(code, signal, generation)
        end)
      end,
    })
    return M.listener.connected(vim.lsp.rpc.start(argv, wrapped, { env = config.current.env }))
  end
end

--- What vim.lsp.start is given.
---@param bufnr integer
---@return vim.lsp.ClientConfig
local function client_config(bufnr)
  local root = root_of(bufnr)
  local argv = vim.list_extend({ server.binary.path }, config.current.args)
  return {
    name = "tandem",
    cmd = spawner(argv, server.generation),
    root_dir = root,
    workspace_folders = { { uri = vim.uri_from_fname(root), name = root } },
    capabilities = capabilities(),
    init_options = config.current.init_options,
    settings = config.current.settings or vim.empty_dict(),
    flags = {
      debounce_text_changes = 0, -- when to compute is the server's decision: it hears of every change
      exit_timeout = 500, -- a server that hangs must not outlive Neovim
    },
    handlers = {
      ["tandem/status"] = on_status,
      ["window/showMessage"] = on_message,
      ["workspace/configuration"] = function(_, params)
        return M.settings(params)
      end,
    },
    on_attach = function(client, attached)
      add_folder(client, attached)
      M.listener.attached(attached)
    end,
  }
end

--- Attaches every buffer that should be; the first one starts the process.
local function attach_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if M.wanted(bufnr) then
      M.attach(bufnr)
    end
  end
end

---@param problem string
local function fail(problem)
  server.phase = "failed"
  status.set({ state = "error", message = problem })
  log.problem(problem)
end

--- Looks for the binary, then starts it for a buffer.
---@param bufnr integer
local function start(bufnr)
  server.phase = "checking"
  server.generation = server.generation + 1
  local generation = server.generation
  status.set({ state = "starting" })
  binary.check(config.current.binary, function(found, problem)
    if generation ~= server.generation then
      return
    end
    if not found then
      return fail(problem or "the binary was not found")
    end
    server.binary = found
    server.phase = "down"
    if not M.wanted(bufnr) then
      return attach_all()
    end
    server.phase = "up"
    server.started_ms = vim.uv.now()
    server.client_id = vim.lsp.start(client_config(bufnr), {
      bufnr = bufnr,
      reuse_client = function()
        return false
      end,
    })
    if not server.client_id then
      return fail(("%s could not be started: see %s"):format(found.path, vim.lsp.get_log_path()))
    end
    attach_all()
  end)
end

--- Attaches a buffer that should be, and starts the server if it is down.
---@param bufnr integer
function M.attach(bufnr)
  if not M.wanted(bufnr) then
    return
  end
  if server.phase == "down" then
    start(bufnr)
  elseif server.phase == "up" and server.client_id then
    vim.lsp.buf_attach_client(bufnr, server.client_id)
  end
end

--- Detaches a buffer whose filetype turned out to be off.
---@param bufnr integer
function M.detach(bufnr)
  if server.client_id and M.get(bufnr) then
    vim.lsp.buf_detach_client(bufnr, server.client_id)
  end
end

--- Starts the server again later, or gives up.
---@param how string how it ended
local function recover(how)
  local restart = config.current.restart
  if vim.uv.now() - server.started_ms >= restart.stable_ms then
    server.crashes = 0
  end
  server.crashes = server.crashes + 1
  if server.crashes > restart.times then
    fail(
      ("the server ended %d times in a row (%s) and stays down. :Tandem log tells why, :Tandem restart tries again"):format(
        server.crashes,
        how
      )
    )
    return
  end
  server.phase = "waiting"
  status.set({ state = "starting", message = ("the server ended (%s) and is started again"):format(how) })
  local generation = server.generation
  vim.defer_fn(function()
    if server.phase == "waiting" and generation == server.generation then
      server.phase = "down"
      attach_all()
    end
  end, restart.delay_ms * 2 ^ (server.crashes - 1))
end

--- The process is gone.
---@param code integer
---@param signal integer
---@param generation integer of the process
function M.on_exit(code, signal, generation)
  if generation ~= server.generation or server.phase ~= "up" then
    return
  end
  server.client_id = nil
  server.phase = "down"
  M.listener.gone()
  if server.start_again then
    server.start_again = false
    return attach_all()
  end
  if vim.v.exiting == vim.NIL then
    recover(signal ~= 0 and ("signal %d"):format(signal) or ("exit %d"):format(code))
  end
end

--- Ends the server and starts a new one, with nothing held against it.
function M.restart()
  server.crashes = 0
  local client = server.client_id and vim.lsp.get_client_by_id(server.client_id)
  if server.phase == "up" and client then
    server.start_again = true
    status.set({ state = "starting" })
    call(client, "stop")
    local generation = server.generation
    vim.defer_fn(function() -- a server that hangs does not answer `shutdown`
      if generation == server.generation and server.phase == "up" then
        call(client, "stop", true)
        client.rpc.terminate()
      end
    end, 2000)
    return
  end
  server.phase = "down"
  server.generation = server.generation + 1
  attach_all()
end

return M
