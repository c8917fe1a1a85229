--- A scripted language server: `nvim -l server.lua lsp`. It follows the protocol
--- of `tandem lsp` and answers what $TANDEM_SCRIPT (JSON, read anew for each
--- message) says; all that it receives goes to $TANDEM_RECORD, a line each.
---
--- Script: { encoding, version, start = "crash"|"silent", supersede, stats, explain, status, rules = { ... } }.
--- The first rule counts whose `before` (a Lua pattern) matches the text left
--- of the cursor. A rule has `completes` (a text: what of it is not typed yet
--- is suggested), or `items` ({ text, left, right }: the range reaches so many
--- code units around the cursor), or `null`, or `error` (a code). With `hold` it
--- is answered when test/release comes, with `delays` after so many ms, taken in
--- turn. test/heard is answered, and no more: all that was sent before it is in
--- the record then. `status` is sent at the start, `stats_status` and
--- `stats_message` when tandem/stats is asked for, and with `stats_crash` that
--- is the end.
local uv = vim.uv
local named_encodings = vim.fn.has("nvim-0.11") == 1 -- as in position.lua

---@return table
local function script()
  local file = io.open(os.getenv("TANDEM_SCRIPT") or "", "r")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  local ok, value = pcall(vim.json.decode, text)
  return ok and value or {}
end

---@param message table
local function record(message)
  local file = io.open(os.getenv("TANDEM_RECORD") or "/dev/null", "a")
  if file then
    file:write(vim.json.encode(message), "\n")
    file:close()
  end
end

if arg[1] == "version" then
  io.stdout:write(vim.json.encode({ version = script().version or "0.1.0-dev" }), "\n")
  os.exit(0)
end
if arg[1] == "doctor" then
  io.stdout:write(vim.json.encode({ settings = { log = os.getenv("TANDEM_RECORD") } }), "\n")
  os.exit(0)
end

local stdin, stdout = uv.new_pipe(), uv.new_pipe()
stdin:open(0)
stdout:open(1)

local documents = {} ---@type table<string, string[]>
local pending = {} ---@type table<integer, string> uri by id of a request that waits
local held = {} ---@type fun()[] answers that wait for test/release
local answers = 0

local function send(message)
  message.jsonrpc = "2.0"
  local body = vim.json.encode(message)
  stdout:write(("Content-Length: %d\r\n\r\n%s"):format(#body, body))
end

local function reply(id, result)
  pending[id] = nil
  send({ id = id, result = result == nil and vim.NIL or result })
end

local function fail(id, code)
  pending[id] = nil
  send({ id = id, error = { code = code, message = "scripted" } })
end

---@param line string
---@param character integer
---@param encoding string
---@return integer bytes
local function to_bytes(line, character, encoding)
  if encoding == "utf-8" then
    return character
  end
  if named_encodings then
    return vim.str_byteindex(line, encoding, character, false)
  end
  return vim.str_byteindex(line, character, encoding == "utf-16")
end

---@param rule table
---@param before string
---@return table[] items { text, left, right }
local function items_of(rule, before)
  if not rule.completes then
    return rule.items or {}
  end
  for n = math.min(#rule.completes - 1, #before), 1, -1 do
    if vim.endswith(before, rule.completes:sub(1, n)) then
      return { { text = rule.completes:sub(n + 1) } }
    end
  end
  return {}
end

---@param rule table
---@param params table
---@param before string
---@return table? InlineCompletionList
local function answer(rule, params, before)
  local list = {}
  for i, item in ipairs(items_of(rule, before)) do
    local id = ("a%d-%d"):format(answers, i)
    local at = params.position
    list[i] = { insertText = item.text, command = { title = "", command = "tandem.accepted", arguments = { id } } }
    if item.left or item.right then
      list[i].range = {
        start = { line = at.line, character = at.character - (item.left or 0) },
        ["end"] = { line = at.line, character = at.character + (item.right or 0) },
      }
    end
  end
  if #list == 0 then
    return nil
  end
  return { items = list }
end

local function complete(id, params)
  local s, uri = script(), params.textDocument.uri
  if s.supersede ~= false then
    for other, its_uri in pairs(pending) do
      if its_uri == uri then
        fail(other, -32800)
      end
    end
  end
  local line = (documents[uri] or {})[params.position.line + 1] or ""
  local before = line:sub(1, to_bytes(line, params.position.character, s.encoding or "utf-8"))
  pending[id], answers = uri, answers + 1
  for _, rule in ipairs(s.rules or {}) do
    if not rule.before or before:find(rule.before) then
      local result = not rule.null and answer(rule, params, before) or nil
      local function respond()
        if pending[id] and rule.error then
          fail(id, rule.error)
        elseif pending[id] then
          reply(id, result)
        end
      end
      if rule.hold then
        held[#held + 1] = respond
        return
      end
      local timer = uv.new_timer()
      timer:start(rule.delays and rule.delays[answers % #rule.delays + 1] or 0, 0, function()
        timer:close()
        respond()
      end)
      return
    end
  end
  reply(id, nil)
end

local requests = {
  initialize = function(id)
    local s = script()
    if s.start == "crash" then
      os.exit(3)
    end
    reply(id, {
      capabilities = {
        positionEncoding = s.encoding or "utf-8",
        textDocumentSync = { openClose = true, change = 1 },
        inlineCompletionProvider = true,
        workspace = { workspaceFolders = { supported = true, changeNotifications = true } },
      },
    })
    for _, status in ipairs(s.status or { { state = "ready", model = "scripted" } }) do
      send({ method = "tandem/status", params = status })
    end
  end,
  shutdown = function(id)
    reply(id, nil)
  end,
  ["textDocument/inlineCompletion"] = complete,
  ["tandem/stats"] = function(id)
    if script().stats_crash then
      os.exit(3)
    end
    if script().stats_message then
      send({ method = "window/showMessage", params = { type = 1, message = script().stats_message } })
    end
    for _, status in ipairs(script().stats_status or {}) do
      send({ method = "tandem/status", params = status })
    end
    reply(id, script().stats or { requests = answers })
  end,
  ["tandem/explain"] = function(id)
    reply(id, script().explain or { reason = "scripted" })
  end,
  ["test/heard"] = function(id)
    reply(id, nil)
  end,
}

local notifications = {
  ["textDocument/didOpen"] = function(params)
    documents[params.textDocument.uri] = vim.split(params.textDocument.text, "\n", { plain = true })
  end,
  ["textDocument/didChange"] = function(params)
    documents[params.textDocument.uri] = vim.split(params.contentChanges[1].text, "\n", { plain = true })
  end,
  ["$/cancelRequest"] = function(params)
    if pending[params.id] then
      fail(params.id, -32800)
    end
  end,
  ["test/release"] = function()
    for _, respond in ipairs(held) do
      respond()
    end
    held = {}
  end,
  exit = function()
    os.exit(0)
  end,
}

local function receive(message)
  record(message)
  local on_request, on_notification = requests[message.method], notifications[message.method]
  if message.id and on_request then
    on_request(message.id, message.params)
  elseif message.id and message.method then
    fail(message.id, -32601)
  elseif on_notification then
    on_notification(message.params)
  end
end

local buffer = ""
stdin:read_start(function(err, data)
  if err or not data then
    os.exit(0)
  end
  buffer = buffer .. data
  while true do
    local head_end, length = select(2, buffer:find("\r\n\r\n", 1, true)), buffer:match("Content%-Length: (%d+)")
    if not head_end or #buffer < head_end + tonumber(length) then
      return
    end
    local body = buffer:sub(head_end + 1, head_end + tonumber(length))
    buffer = buffer:sub(head_end + tonumber(length) + 1)
    receive(vim.json.decode(body))
  end
end)
vim.wait(2 ^ 30, function()
  return false
end, 1000)
