--- `:Tandem`: each subcommand asks somebody else and shows the answer.
local M = {}

local client = require("tandem.client")
local log = require("tandem.log")

--- Shows lines in a window that `q` closes.
---@param title string
---@param lines string[]
local function show(title, lines)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].bufhidden = "wipe"
  vim.bo[bufnr].filetype = "markdown"
  local width = 40
  for _, line in ipairs(lines) do
    width = math.max(width, vim.api.nvim_strwidth(line))
  end
  width = math.min(width, math.max(vim.o.columns - 4, 1))
  local height = math.max(math.min(#lines, vim.o.lines - 4), 1)
  local window = vim.api.nvim_open_win(bufnr, true, {
    relative = "editor",
    row = math.floor((vim.o.lines - height) / 2) - 1,
    col = math.floor((vim.o.columns - width) / 2),
    width = width,
    height = height,
    border = "rounded",
    title = " " .. title .. " ",
    style = "minimal",
  })
  vim.wo[window].wrap = true
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = bufnr, nowait = true })
end

--- Lines of a server's answer: text as it is, the rest as a list of names and
--- values, since the server decides what it has to tell.
---@param value any
---@param indent string?
---@return string[]
local function to_lines(value, indent)
  indent = indent or ""
  if type(value) == "string" then
    return vim.split(value, "\n", { plain = true })
  end
  if type(value) ~= "table" then
    return { tostring(value) }
  end
  local lines = {}
  for key, inner in vim.spairs(value) do
    local name = type(key) == "number" and "-" or key .. ":"
    if type(inner) == "table" then
      lines[#lines + 1] = indent .. name
      vim.list_extend(lines, to_lines(inner, indent .. "  "))
    elseif inner ~= vim.NIL then
      for i, line in ipairs(vim.split(tostring(inner), "\n", { plain = true })) do
        lines[#lines + 1] = i == 1 and ("%s%s %s"):format(indent, name, line) or indent .. "  " .. line
      end
    end
  end
  return lines
end

--- Asks the server and shows what it answers.
---@param title string
---@param method string
---@param params table
local function ask(title, method, params)
  local bufnr = vim.api.nvim_get_current_buf()
  local id = client.request(bufnr, method, params, function(err, result)
    if err then
      return log.info(("%s: %s"):format(method, err.message))
    end
    show(title, to_lines(result == nil and "nothing" or result))
  end)
  if not id then
    log.info("no completion in this buffer: " .. (client.why_not(bufnr) or "the server does not listen"))
  end
end

--- Opens the log of the server at its end. The server's settings decide where
--- it lies, so the program is asked.
local function open_log()
  local binary = client.binary()
  if not binary then
    return log.info("no server has run yet: there is no log; see :checkhealth tandem")
  end
  vim.system({ binary.path, "doctor", "--json" }, { text = true }, vim.schedule_wrap(function(result)
    local ok, answer = pcall(vim.json.decode, result.stdout or "")
    local path = ok and vim.tbl_get(answer, "settings", "log")
    if type(path) ~= "string" or not vim.uv.fs_stat(path) then
      path = vim.lsp.get_log_path() -- where Neovim writes what the server said on stderr
    end
    vim.cmd.tabedit({ vim.fn.fnameescape(path), magic = { file = false } })
    vim.cmd.normal({ "G", bang = true })
  end))
end

---@type table<string, fun()>
M.subcommands = {
  status = function()
    vim.api.nvim_echo({ { table.concat(require("tandem.status").describe(vim.api.nvim_get_current_buf()), "\n") } }, true, {})
  end,
  toggle = function()
    require("tandem").toggle()
    log.info(require("tandem.config").current.enabled and "completion is on" or "completion is off")
  end,
  restart = client.restart,
  explain = function()
    local lsp_client = client.get(vim.api.nvim_get_current_buf())
    local place = require("tandem.session").place()
    local encoding = lsp_client and lsp_client.offset_encoding or "utf-8"
    ask("tandem explain", "tandem/explain", {
      textDocument = { uri = vim.uri_from_bufnr(0) },
      position = require("tandem.position").to_lsp(0, place.row, place.col, encoding),
    })
  end,
  stats = function()
    ask("tandem stats", "tandem/stats", vim.empty_dict())
  end,
  log = open_log,
}

--- Runs `:Tandem NAME`; without a name the status.
---@param args { fargs: string[] }
function M.run(args)
  local name = args.fargs[1] or "status"
  local subcommand = M.subcommands[name]
  if not subcommand then
    local names = table.concat(vim.tbl_keys(M.subcommands), ", ")
    return log.info(("there is no :Tandem %s; there are %s"):format(name, names))
  end
  subcommand()
end

--- Names that begin as typed.
---@param typed string
---@return string[]
function M.complete(typed)
  local names = vim.tbl_filter(function(name)
    return vim.startswith(name, typed)
  end, vim.tbl_keys(M.subcommands))
  table.sort(names)
  return names
end

return M
