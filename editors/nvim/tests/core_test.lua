--- `renderer = "core"`: a real vim.lsp.inline_completion asks and draws. It asks
--- 200 ms after an event, so where nothing is to be asked its timer is waited for.

local METHOD = "textDocument/inlineCompletion"
local TEXT = "total = sum(values) / len(values)"
local ITEMS = { rules = { { before = "tot$", items = { { text = "al = 1" }, { text = "al = 2" }, { text = "em" } } } } }

---@param start fun(opts: table): table
---@param script table?
---@param settings table?
---@return table child
local function begin(start, script, settings)
  settings = vim.tbl_extend("force", { renderer = "core" }, settings or {})
  return start({ script = script or { rules = { { completes = TEXT } } }, settings = settings }):ready()
end

--- Waits until the core has asked what it meant to ask.
---@param c table child
local function asked(c)
  c:settle()
  c:wait("the core's timer has fired", function()
    return c:lua([[
      local completor = vim.lsp._capability.all.inline_completion.active[vim.api.nvim_get_current_buf()]
      return not completor.timer or completor.timer:is_closing()
    ]])
  end)
end

---@param c table child
---@return boolean
local function visible(c)
  return c:lua([[return require("tandem").is_visible()]])
end

core("Neovim's own inline completion is off for tandem, and stays on for others", function(start)
  local script = { rules = { { before = "tot$", items = { { text = "al" } } } } }
  local c = start({ script = script, before = "vim.lsp.inline_completion.enable(true)" }):ready()
  same("for others", c:lua("return vim.lsp.inline_completion.is_enabled()"), true)
  same("for tandem", c:lua([[
    local client = require("tandem.client").get(0)
    return vim.lsp.inline_completion.is_enabled({ client_id = client.id })
  ]]), false)
  c:type("itot")
  c:wait_ghost("al")
end)

core("core: what is shown is accepted whole", function(start)
  local c = begin(start)
  c:type("itot")
  c:wait_ghost(TEXT:sub(4))
  same("visible", visible(c), true)
  c:type("<Tab>!")
  c:settle()
  same("buffer", c:lines(), { TEXT .. "!" })
  same("told", #c:wait_received("tandem/didAccept", 1), 1)
  same("executeCommand", #c:received("workspace/executeCommand"), 0)
  c:type("<Esc>u")
  c:settle()
  c:type("u")
  c:settle()
  same("one undo step", c:lines(), { "tot" })
end)

core("core: a line and a word are accepted, the rest comes with the next answer", function(start)
  for _, trigger in ipairs({ "auto", "manual" }) do
    local c = begin(start, { rules = { { completes = "total = 1\nmean = 2" } } }, { trigger = trigger })
    c:type("itot")
    if trigger == "manual" then
      c:type("<M-\\>")
    end
    c:wait_ghost("al = 1\nmean = 2")
    c:type("<M-w>")
    c:wait_ghost(" = 1\nmean = 2")
    same("a word", c:lines(), { "total" })
    same("told", c:wait_received("tandem/didPartiallyAccept", 1)[1].params.acceptedLength, 2)
    c:type("<M-l>")
    c:wait("a line is in the buffer", function()
      return vim.deep_equal(c:lines(), { "total = 1" })
    end)
    same("not accepted", #c:received("tandem/didAccept"), 0)
  end
end)

core("core: a key typed before <Tab> is in no accepted text twice, and nothing stale is accepted", function(start)
  local c = begin(start)
  c:type("itot")
  c:wait_ghost(TEXT:sub(4))
  c:type("al<Tab>")
  c:settle()
  same("typed along", c:lines(), { TEXT })
  c:type("<CR>tot")
  c:wait_ghost(TEXT:sub(4))
  c:type("z<Tab>")
  c:settle()
  same("another key", c:lines()[2]:gsub("%s+$", ""), "totz")
end)

core("core: text that no longer fits is shown in no frame", function(start)
  local c = begin(start)
  c:type("itot")
  c:wait_ghost(TEXT:sub(4))
  c:watch()
  c:type_each("al = sux")
  same("ghost text", c:ghost(), "")
  same("visible", visible(c), false)
  for _, frame in ipairs(c:frames()) do
    local typed, ghost = frame.rows[1]:sub(1, frame.col), frame.rows[1]:sub(frame.col + 1)
    same("text in front of the cursor and behind it", ghost == "" or typed .. ghost == TEXT, true)
  end
end)

core("core: dismissed text does not come back before the text changes", function(start)
  local c = begin(start)
  c:type("itot")
  c:wait_ghost(TEXT:sub(4))
  c:type("<C-]>")
  c:wait_none()
  same("visible", visible(c), false)
  local before = #c:received(METHOD)
  c:type("<Left><Right>")
  asked(c)
  same("requests", #c:received(METHOD), before)
  same("ghost text", c:ghost(), "")
  c:type("a")
  c:wait_ghost(TEXT:sub(5))
end)

core("core: an answer that comes after dismissing is not shown", function(start)
  local c = begin(start, { supersede = false, rules = { { before = "tot$", hold = true, items = { { text = "al" } } } } })
  c:type("itot")
  c:wait_received(METHOD, 1)
  c:type("<C-]>")
  c:lua([[require("tandem").dismiss()]])
  c:release()
  c:received(METHOD)
  same("ghost text", c:ghost(), "")
  same("errors", c:lua("return vim.v.errmsg"), "")
end)

core("core: the next one and the one before, round and round", function(start)
  local c = begin(start, ITEMS)
  c:type("itot")
  c:wait_ghost("al = 1")
  c:type("<M-]>")
  c:wait_ghost("al = 2 (2/3)") -- the core counts them
  c:lua([[require("tandem").prev() require("tandem").prev()]])
  c:wait_ghost("em (3/3)")
  c:type("<M-w>")
  c:wait("the one that is shown", function()
    return c:lines()[1] == "totem"
  end)
end)

core("core: of one suggestion the next is asked for", function(start)
  local c = begin(start, { rules = { { before = "tot$", items = { { text = "al" } } } } })
  c:type("itot")
  c:wait_ghost("al")
  c:script(ITEMS)
  c:type("<M-]>")
  c:wait_ghost("al = 2 (2/3)")
  local requests = c:received(METHOD)
  same("invoked", requests[#requests].params.context.triggerKind, 1)
end)

core("core: toggle: off asks and shows nothing, on does again", function(start)
  local c = begin(start)
  c:type("itot")
  c:wait_ghost(TEXT:sub(4))
  c:lua([[vim.cmd("Tandem toggle")]])
  c:wait_none()
  local before = #c:received(METHOD)
  c:type(" tot")
  asked(c)
  same("requests", #c:received(METHOD), before)
  same("ghost text", c:ghost(), "")
  c:lua([[vim.cmd("Tandem toggle")]])
  c:type(" tot")
  c:wait_ghost(TEXT:sub(4))
end)

core("core: manual: nothing is asked but by suggest()", function(start)
  local c = begin(start, nil, { trigger = "manual" })
  c:type("itot")
  asked(c)
  same("requests", #c:received(METHOD), 0)
  c:type("<M-\\>")
  c:wait_ghost(TEXT:sub(4))
  c:type_each("a")
  asked(c)
  same("ghost text", c:ghost(), TEXT:sub(5))
  local requests = c:received(METHOD)
  same("requests", #requests, 1)
  same("invoked", requests[1].params.context.triggerKind, 1)
end)

core("core: a restarted server is asked again, and CTRL-C ends all", function(start)
  local c = begin(start)
  c:type("itot")
  c:wait_ghost(TEXT:sub(4))
  c:command("Tandem restart")
  c:wait_received("initialize", 2)
  c:ready()
  c:wait_ghost(TEXT:sub(4))
  c:type("<C-c>")
  c:settle()
  same("left", c:ghost(), "")
  same("errors", c:lua("return vim.v.errmsg"), "")
end)

core("core: checkhealth tells who draws", function(start)
  local c = begin(start)
  c:command("checkhealth tandem")
  same("told", table.concat(c:lines(), "\n"):find("drawn by vim.lsp.inline_completion", 1, true) ~= nil, true)
end)
