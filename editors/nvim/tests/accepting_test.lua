--- Accepting all, a line, a word; dismissing; the next one.

local real = require("child").real
local TEXT = "total = sum(values) / len(values)"
local METHOD = "textDocument/inlineCompletion"
local LINES = { "def add(a, b):", "    return a + b", "", "def subtract(a, b):", "" }

--- Neovim in which a ghost text is shown behind "tot".
---@param start fun(opts: table): table
---@param rules table[]?
---@return table child
---@return string rest what accepting inserts
local function shown(start, rules)
  local c = start({ script = { rules = rules or { { completes = TEXT } } }, lines = LINES }):ready()
  c:type("Go    <C-u>")
  c:type_each(real and "    ret" or "tot")
  return c, c:wait_rest()
end

--- The cursor's line and those below it.
---@param c table child
---@return string
local function from_cursor(c, row)
  return table.concat(vim.list_slice(c:lines(), row), "\n")
end

test("<Tab> accepts all that is shown, and the cursor goes behind it", function(start)
  local c, ghost = shown(start)
  local row = c:cursor()[1]
  local before = from_cursor(c, row)
  c:type("<Tab>")
  c:wait("it is in the buffer", function()
    return from_cursor(c, row) == before .. ghost
  end)
  local lines = vim.split(before .. ghost, "\n", { plain = true })
  same("cursor", c:cursor(), { row + #lines - 1, #lines[#lines] })
  c:type("!")
  c:wait("the next key is behind it", function()
    return vim.startswith(from_cursor(c, row), before .. ghost .. "!")
  end)
end)

scripted("the server is told what was accepted", function(start)
  local c = shown(start)
  local told = c:received("tandem/didShow")
  c:type("<Tab>")
  local accepted = c:wait_received("tandem/didAccept", 1)
  same("params", accepted[1].params, { id = told[#told].params.id, textDocument = { uri = "file://" .. c.path } })
  same("executeCommand", #c:received("workspace/executeCommand"), 0)
  local changes = c:received("textDocument/didChange")
  same("the change came before", changes[#changes].params.contentChanges[1].text:find(TEXT, 1, true) ~= nil, true)
end)

test("accepting is one undo step, the typing before and after it others", function(start)
  local c, ghost = shown(start)
  local row = c:cursor()[1]
  local before = from_cursor(c, row)
  c:type("<Tab>")
  c:wait("it is in the buffer", function()
    return from_cursor(c, row) == before .. ghost
  end)
  c:type("xyz<Esc>")
  c:settle()
  c:type("u")
  c:wait("the typing after is undone", function()
    return from_cursor(c, row) == before .. ghost
  end)
  c:type("u")
  c:wait("the accepted text is undone, and nothing else", function()
    return from_cursor(c, row) == before
  end)
  c:type("<C-r>")
  c:wait("redone", function()
    return from_cursor(c, row) == before .. ghost
  end)
end)

scripted("many lines are accepted as one undo step", function(start)
  local c = shown(start, { { before = "^tot$", items = { { text = "al:\n    a\n    b" } } } })
  c:type("<Tab><Esc>")
  c:settle()
  same("buffer", from_cursor(c, 6), "total:\n    a\n    b")
  same("cursor", c:cursor(), { 8, 4 })
  c:type("u")
  c:settle()
  same("buffer", from_cursor(c, 6), "tot")
end)

scripted("a key and <Tab> at once insert no character twice", function(start)
  local c = shown(start)
  c:type("al<Tab>")
  c:settle()
  same("buffer", from_cursor(c, 6), TEXT)
end)

scripted("another key and <Tab> at once accept nothing stale", function(start)
  local c = shown(start)
  c:type("z<Tab>")
  c:settle()
  same("buffer", from_cursor(c, 6):gsub("%s+$", ""), "totz")
end)

test("a word is accepted, the rest stays shown", function(start)
  local c, ghost = shown(start)
  local row = c:cursor()[1]
  local before = from_cursor(c, row)
  c:script({ rules = { { null = true } } })
  c:type("<M-w>")
  local inserted = c:wait("a word is in the buffer", function()
    local now = from_cursor(c, row)
    return #now > #before and now:sub(#before + 1)
  end)
  same("a beginning of it", vim.startswith(ghost, inserted), true)
  same("one word", inserted:find("^%s*[%w_]+$") or inserted:find("^%s*%p+$"), 1)
  if not real then
    c:settle()
    same("rest", c:ghost(), ghost:sub(#inserted + 1))
  end
end)

scripted("words one after the other, told with their length", function(start)
  local c = shown(start)
  c:script({ rules = { { null = true } } })
  local words = { "al", " =", " sum", "(", "values", ")", " /", " len", "(", "values", ")" }
  local so_far = "tot"
  for _, word in ipairs(words) do
    c:type("<M-w>")
    c:settle()
    so_far = so_far .. word
    same("buffer", from_cursor(c, 6), so_far)
    same("rest", c:ghost(), TEXT:sub(#so_far + 1))
  end
  c:wait_received("tandem/didAccept", 1)
  local partial = c:wait_received("tandem/didPartiallyAccept", 10)
  same("partial accepts", #partial, 10)
  same("lengths", partial[2].params.acceptedLength, 4)
  same("document", partial[2].params.textDocument.uri, "file://" .. c.path)
  c:type("<Esc>u")
  c:settle()
  same("each is an undo step", from_cursor(c, 6), TEXT:sub(1, -2))
end)

scripted("a line is accepted, the rest stays shown", function(start)
  local c = shown(start, { { before = "^tot$", items = { { text = "al:\n    a = 1\n\n    b" } } }, { null = true } })
  local steps = {
    { "total:", "\n    a = 1\n \n    b" },
    { "total:\n    a = 1", "\n \n    b" },
    { "total:\n    a = 1\n\n    b", "" },
  }
  for _, step in ipairs(steps) do
    c:type("<M-l>")
    c:settle()
    same("buffer", from_cursor(c, 6), step[1])
    same("rest", c:ghost(), step[2])
  end
  c:type("<Esc>u")
  c:settle()
  same("one undo step", from_cursor(c, 6), "total:\n    a = 1")
end)

scripted("part of an item with a range leaves what it replaces", function(start)
  local c = start({ script = { rules = { { before = "^f%($", items = { { text = "x, y) + z", right = 1 } } }, { null = true } } } }):ready()
  c:lua([[vim.keymap.set("i", "(", "()<Left>")]])
  c:type("if(")
  c:wait_ghost("x, y + z")
  for _, step in ipairs({ { "f(x)", ", y + z" }, { "f(x,)", " y + z" }, { "f(x, y)", " + z" } }) do
    c:type("<M-w>")
    c:settle()
    same("buffer", c:lines()[1], step[1])
    same("rest", c:ghost(), step[2])
  end
  c:type("<M-l>")
  c:settle()
  same("buffer", c:lines()[1], "f(x, y) + z")
end)

test("dismissing clears until the next change", function(start)
  local c = shown(start)
  local before = c:lines()
  c:type("<C-]>")
  c:wait_none()
  c:settle()
  same("mode", c:mode(), "i")
  same("buffer", c:lines(), before)
  c:type("<Tab>")
  c:wait("<Tab> is a tab again", function()
    return not vim.deep_equal(c:lines(), before)
  end)
end)

scripted("dismissing cancels what is asked; the next change asks again", function(start)
  local c = shown(start)
  c:script({ rules = { { items = { { text = "late" } }, hold = true } } })
  c:type_each("a")
  c:wait_ghost(TEXT:sub(5))
  c:type("<C-]>")
  c:wait_none()
  c:wait_received("$/cancelRequest", 1)
  c:script({ rules = { { completes = TEXT } } })
  c:type_each("l")
  c:wait_ghost(TEXT:sub(6))
end)

scripted("the next one, round and round", function(start)
  local items = { { text = "al = 1" }, { text = "al = 2" }, { text = "em" } }
  local c = shown(start, { { before = "^tot$", items = items }, { null = true } })
  local before = #c:received(METHOD)
  for _, text in ipairs({ "al = 2", "em", "al = 1", "al = 2" }) do
    c:type("<M-]>")
    c:wait_ghost(text)
  end
  same("requests", #c:received(METHOD), before)
  same("each was told as shown", c:received("tandem/didShow")[2].params.id:match("%-2$"), "-2")
  c:type_each("a")
  c:wait_ghost("l = 2")
  c:type("<M-]>") -- the third does not fit any more
  c:wait_ghost("l = 1")
  c:type("<M-]><Tab>")
  c:settle()
  same("buffer", from_cursor(c, 6), "total = 2")
end)

scripted("the next one of a single one asks for more", function(start)
  local c = shown(start, { { before = "^tot$", items = { { text = "al" } } }, { null = true } })
  c:script({ rules = { { items = { { text = "al" }, { text = "em" } } } } })
  local before = #c:received(METHOD)
  c:type("<M-]>")
  c:wait_ghost("em")
  local asked = c:received(METHOD)
  same("requests", #asked, before + 1)
  same("invoked", asked[#asked].params.context.triggerKind, 1)
end)

scripted("dot repeats what was typed and accepted", function(start)
  local c = shown(start, { { before = "^tot$", items = { { text = "al:\n    a = 1\n\tb" } } }, { null = true } })
  c:lua("vim.bo.autoindent = true")
  c:type("<Esc>:%d<CR>otot")
  c:wait_ghost()
  c:type("<Tab>")
  c:settle()
  c:type("!<Esc>")
  c:settle()
  same("buffer", c:lines(), { "", "total:", "    a = 1", "\tb!" })
  c:type(".")
  c:settle()
  local again = vim.fn.has("nvim-0.11") == 1 and { "    total:", "    a = 1", "\tb!" } or { "    tot!" } -- what was typed only
  same("repeated", c:lines(), vim.list_extend({ "", "total:", "    a = 1", "\tb!" }, again))
  c:type("u")
  c:settle()
  same("undone", c:lines(), { "", "total:", "    a = 1", "\tb!" })
end)

scripted("a user's own vim.paste is not called, and stays", function(start)
  local c = shown(start)
  c:lua([[_G.users = function() error("called") end; vim.paste = _G.users]])
  c:type("<Tab>")
  c:settle()
  same("buffer", from_cursor(c, 6), TEXT)
  same("vim.paste", c:lua([[return vim.paste == _G.users]]), true)
end)

scripted("other commands of an item are run after it was accepted", function(start)
  local c = shown(start)
  c:lua([[
    local session = require("tandem.session")
    local fit = session.fit()
    fit.suggestion.command = { title = "", command = "other", arguments = { 7 } }
  ]])
  c:type("<Tab>")
  local run = c:wait_received("workspace/executeCommand", 1)
  same("command", run[1].params, { command = "other", arguments = { 7 } })
end)

scripted("with a completion menu open nothing is shown; with popup = show it is", function(start)
  for popup, wanted in pairs({ hide = "", show = "al = 1" }) do
    local rules = { { before = "tot$", items = { { text = "al = 1" } } }, { null = true } }
    local c = start({ script = { rules = rules }, settings = { popup = popup }, lines = { "totxyz totabc", "" } }):ready()
    c:command("set completeopt=menuone,noinsert,noselect") -- the menu changes no text
    c:type("jitot")
    c:wait_ghost("al = 1")
    c:type("<C-n>")
    c:wait("the menu is open, and nothing chosen", function()
      return c:lua([[return vim.fn.pumvisible() == 1 and vim.fn.complete_info().selected == -1]])
    end)
    c:settle()
    same("ghost text with popup = " .. popup, c:ghost(), wanted)
    c:type("<C-e>")
    c:wait_ghost("al = 1")
  end
end)

scripted("what was typed while a completion menu was open is asked about when it closes", function(start)
  local rules = { { before = "tot$", items = { { text = "al = 1" } } }, { null = true } }
  local c = start({ script = { rules = rules }, lines = { "totxyz totabc", "" } }):ready()
  c:type("jit<C-n><C-p>")
  c:wait("the menu is open", function()
    return c:lua([[return vim.fn.pumvisible() == 1]])
  end)
  local before = #c:received(METHOD)
  c:type_each("ot")
  same("the menu is open", c:lua([[return vim.fn.pumvisible()]]), 1)
  same("requests", #c:received(METHOD), before)
  c:type("<C-y>")
  c:wait_ghost("al = 1")
end)
