--- Ghost text while the user types.

local TEXT = "total = sum(values) / len(values)"
local real = require("child").real
local METHOD = "textDocument/inlineCompletion"
local RULES = { rules = { { completes = TEXT } } }

--- A file in which the real model has something to say, and keys that make it say so.
local REAL = { "def add(a, b):", "    return a + b", "", "def subtract(a, b):", "" }

--- Neovim in which a ghost text of at least so many bytes is shown.
---@param start fun(opts: table): table
---@param opts table?
---@return table child
---@return string ghost
local function shown(start, opts)
  opts = vim.tbl_extend("keep", opts or {}, { script = RULES, lines = REAL })
  local c = start(opts):ready()
  c:type(real and "Go    <C-u>    ret" or "Gotot")
  return c, c:wait_ghost(not real and TEXT:sub(4) or nil)
end

scripted("ghost text appears on the screen after typing", function(start)
  local c = start({ script = RULES }):ready()
  c:type("itot")
  c:wait_ghost("al = sum(values) / len(values)")
  same("screen", c:screen(1), TEXT)
  same("buffer", c:lines(), { "tot" })
  local highlight = c:lua([[
    local ns = vim.api.nvim_get_namespaces()["tandem.ghost"]
    return vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })[1][4].virt_text[1][2]
  ]])
  same("highlight", highlight, "TandemGhost")
  local asked = c:received(METHOD)
  same("asked automatically", asked[#asked].params.context.triggerKind, 2)
  same("capability", c:received("initialize")[1].params.capabilities.textDocument.inlineCompletion, { dynamicRegistration = false })
  local encoding = vim.fn.has("nvim-0.11") == 1 and "utf-8" or "utf-16" -- see capabilities() in client.lua
  same("first encoding", c:received("initialize")[1].params.capabilities.general.positionEncodings[1], encoding)
end)

test("ghost text comes, and goes with insert mode", function(start)
  local c = shown(start)
  c:type("<Esc>")
  c:wait_none()
  c:wait("nothing runs", function()
    return c:running() == 0
  end)
end)

test("typing along changes no frame", function(start)
  local c, ghost = shown(start)
  local row, line = c:cursor()[1], c:lua("return vim.api.nvim_get_current_line()")
  local seen = c:screen(row)
  c:script({ rules = { { completes = TEXT, hold = true } } })
  c:watch()
  c:type_each(ghost:match("^[^\n]*"):sub(1, 6))
  local frames = c:frames()
  same("frames were drawn", #frames >= 6, true)
  for _, frame in ipairs(frames) do
    -- The real server may have thought of something longer, or better.
    same("a frame", frame.rows[row]:sub(1, real and #line + 1 or nil), seen:sub(1, real and #line + 1 or nil))
  end
end)

scripted("entering insert mode asks, at the cursor where the text will go", function(start)
  for keys, column in pairs({ A = 3, i = 0 }) do
    local rules = { { before = column == 3 and "^tot$" or "^$", items = { { text = "al" } } } }
    local c = start({ script = { rules = rules }, lines = { "tot" } }):ready()
    c:type(keys)
    c:wait_ghost("al")
    local asked = c:received(METHOD)
    same("requests", #asked, 1)
    same("column", asked[1].params.position.character, column)
  end
end)

scripted("a request goes out although the ghost text shrinks by itself", function(start)
  local c = shown(start)
  local before = #c:received(METHOD)
  c:type("a")
  c:wait_received(METHOD, before + 1)
  c:wait_ghost(TEXT:sub(5))
end)

scripted("the answer extends what is shown", function(start)
  local c = shown(start)
  c:script({ rules = { { completes = TEXT .. " # mean" } } })
  c:type("a")
  c:wait_ghost(TEXT:sub(5) .. " # mean")
end)

scripted("typing something else clears at once", function(start)
  local c = shown(start)
  c:script({ rules = { { null = true, hold = true } } })
  c:watch()
  c:type_each("z")
  same("ghost text", c:ghost(), "")
  for _, frame in ipairs(c:frames()) do
    same("a frame", vim.tbl_contains({ "    " .. TEXT, "    totz" }, frame.rows[c:cursor()[1]]), true)
  end
end)

scripted("backspace over what was typed along makes the ghost text grow", function(start)
  local c = shown(start)
  c:script({ rules = { { null = true } } })
  c:type("al")
  c:wait_ghost(TEXT:sub(6))
  c:type("<BS>")
  c:wait_ghost(TEXT:sub(5))
  c:type("<BS><BS><BS>")
  c:wait_none()
end)

scripted("null and superseded leave what still fits", function(start)
  for _, rule in ipairs({ { null = true }, { error = -32800 }, { items = {} }, { error = -32603 } }) do
    local c = shown(start)
    local before = #c:received(METHOD)
    c:script({ rules = { rule } })
    c:type_each("a")
    c:wait("the answer is there", function()
      return c:running() == 0
    end)
    same("requests", #c:received(METHOD), before + 1)
    same("ghost text after " .. vim.inspect(rule), c:ghost(), TEXT:sub(5))
    same("messages", c:messages(), {})
  end
end)

--- Neovim in which "to" was typed and its answer, "o", is held.
---@param start fun(opts: table): table
---@return table child
local function waiting(start)
  local rules = { { before = "^to$", items = { { text = "o" } }, hold = true }, { null = true } }
  local c = start({ script = { supersede = false, rules = rules } }):ready()
  c:type("i")
  c:type_each("to")
  c:wait("it was asked", function()
    local asked = c:received(METHOD)
    return #asked > 0 and asked[#asked].params.position.character == 2
  end)
  return c
end

scripted("an answer for the text and the cursor that are there is shown", function(start)
  local c = waiting(start)
  c:release()
  c:wait_ghost("o")
end)

scripted("an answer after the text changed is dropped", function(start)
  local c = waiting(start)
  c:watch()
  c:type_each("o") -- the late text would fit behind this key, were it not for its age
  c:release()
  c:wait("all answers came", function()
    return c:running() == 0
  end)
  c:settle()
  same("ghost text", c:ghost(), "")
  for _, frame in ipairs(c:frames()) do
    same("a frame", vim.tbl_contains({ "to", "too" }, frame.rows[1]), true)
  end
end)

scripted("an answer for an old changedtick is dropped, though the text is the same again", function(start)
  local rules = { { before = "^to$", items = { { text = "ooo" } }, hold = true } }
  local c = start({ script = { rules = rules }, settings = { trigger = "manual" } }):ready()
  c:type("i")
  c:type_each("to")
  c:type("<M-\\>")
  c:wait_received(METHOD, 1)
  c:type("o<BS>")
  c:settle()
  same("running", c:running(), 1)
  same("buffer", c:lines(), { "to" })
  c:release()
  c:wait("the answer came", function()
    return c:running() == 0
  end)
  c:settle()
  same("ghost text", c:ghost(), "")
end)

scripted("deleting text right of the cursor clears", function(start)
  local c = start({ script = { rules = { { before = "^tot$", items = { { text = "al" } } } } }, lines = { "-xyz" } }):ready()
  c:type("0itot")
  c:wait_ghost("al")
  c:script({ rules = { { null = true, hold = true } } })
  c:type("<Del>")
  c:settle()
  same("buffer", c:lines(), { "totxyz" })
  same("ghost text", c:ghost(), "")
end)

scripted("an answer after the cursor moved is dropped", function(start)
  local c = waiting(start)
  c:type("<Left>")
  c:wait_received("tandem/didMoveCursor", 1)
  c:release()
  c:wait("the answer came", function()
    return c:running() == 0
  end)
  c:type("<Right>")
  local moves = c:wait_received("tandem/didMoveCursor", 2)
  same("position", moves[2].params.position, { line = 0, character = 2 })
  same("ghost text", c:ghost(), "")
end)

scripted("moving the cursor clears and asks nothing", function(start)
  local c = shown(start)
  local before = #c:received(METHOD)
  c:type("<Left>")
  c:wait_none()
  c:wait_received("tandem/didMoveCursor", 1)
  same("requests", #c:received(METHOD), before)
end)

scripted("CTRL-C clears as <Esc> does", function(start)
  local c = shown(start)
  c:type("<C-c>")
  c:wait_none()
end)

scripted("leaving insert mode cancels the running request", function(start)
  local c = start({ script = { rules = { { items = { { text = "x" } }, hold = true } } } }):ready()
  c:type("i")
  c:type_each("ab")
  local asked = c:received(METHOD)
  c:type("<Esc>")
  local cancelled = c:wait_received("$/cancelRequest", 1)
  same("id", cancelled[1].params.id, asked[#asked].id)
  c:wait("nothing runs", function()
    return c:running() == 0
  end)
end)

scripted("what is shown is told once", function(start)
  local c = shown(start)
  local told = c:wait_received("tandem/didShow", 1)
  same("document", told[1].params.textDocument.uri, "file://" .. c.path)
  local ids = {}
  c:script({ rules = { { null = true } } })
  c:type("al")
  c:wait_ghost(TEXT:sub(6))
  for _, message in ipairs(c:received("tandem/didShow")) do
    same("told before", ids[message.params.id], nil)
    ids[message.params.id] = true
  end
end)

scripted("many lines: the first at the cursor, the rest below", function(start)
  local text = "for v in values:\n\tprint(v)\n\nprint()"
  local c = start({ script = { rules = { { completes = text } } }, lines = { "", "end" } }):ready()
  c:type("ifor")
  c:wait_ghost(" v in values:\n    print(v)\n \nprint()")
  same("first", c:screen(1), "for v in values:")
  same("second", c:screen(2), "    print(v)")
  same("third", c:screen(3), "")
  same("fourth", c:screen(4), "print()")
  same("the buffer's", c:screen(5), "end")
  c:type(" ")
  c:wait_ghost("v in values:\n    print(v)\n \nprint()")
end)

scripted("a new line may be typed through", function(start)
  local c = start({ script = { rules = { { completes = "if x:\n    return x" } } } }):ready()
  c:lua("vim.bo.autoindent = true; vim.bo.indentexpr = ''")
  c:type("i    <Esc>aif x:")
  c:wait_ghost("\n    return x")
  c:script({ rules = { { null = true } } })
  c:type("<CR>")
  c:wait_ghost("return x")
  same("buffer", c:lines(), { "    if x:", "    " })
end)

scripted("characters beyond ASCII: columns and screen", function(start)
  for _, encoding in ipairs({ "utf-8", "utf-16" }) do
    local script = { encoding = encoding, rules = { { before = "🎉 é$", items = { { text = "é世界🎉!", left = encoding == "utf-8" and 2 or 1 } } } } }
    local c = start({ script = script }):ready()
    c:type("i🎉 é")
    c:wait_ghost("世界🎉!")
    local asked = c:received(METHOD)
    same("column in " .. encoding, asked[#asked].params.position.character, encoding == "utf-8" and 7 or 4)
    same("screen", (c:screen(1)), "🎉 é世界🎉!")
    c:script({ encoding = encoding, rules = { { null = true } } })
    c:type("世")
    c:wait_ghost("界🎉!")
    c:type("<M-w>")
    c:wait("a word was accepted", function()
      return c:lines()[1] == "🎉 é世界🎉"
    end)
    local told = c:wait_received("tandem/didPartiallyAccept", 1)
    same("accepted length in " .. encoding, told[1].params.acceptedLength, encoding == "utf-8" and 12 or 5)
  end
end)

scripted("an item with a range right of the cursor: brackets stay where they are", function(start)
  local c = start({ script = { rules = { { before = "print%($", items = { { text = "x, y)", right = 1 } } }, { null = true } } } }):ready()
  c:lua([[vim.keymap.set("i", "(", "()<Left>")]])
  c:type("iprint(")
  c:wait_ghost("x, y")
  same("screen", c:screen(1), "print(x, y)")
  c:type("x")
  c:wait_ghost(", y")
  c:type("<Tab>")
  c:wait("it was accepted", function()
    return c:lines()[1] == "print(x, y)"
  end)
  same("cursor", c:cursor(), { 1, 11 })
end)

scripted("a bracket that is to be replaced may be typed over", function(start)
  local items = { { text = "x) + 1", right = 1 } }
  local c = start({ script = { rules = { { before = "f%($", items = items }, { null = true } } } }):ready()
  c:lua([[vim.keymap.set("i", "(", "()<Left>") vim.keymap.set("i", ")", "<Right>")]])
  c:type("if(")
  c:wait_ghost("x + 1")
  c:type("x)")
  c:wait_ghost(" + 1")
  c:type("<Tab>")
  c:settle()
  same("buffer", c:lines(), { "f(x) + 1" })
end)

scripted("nothing is left to show when only what is there is left", function(start)
  local items = { { text = "x)", right = 1 } }
  local c = start({ script = { rules = { { before = "f%($", items = items }, { null = true } } } }):ready()
  c:lua([[vim.keymap.set("i", "(", "()<Left>")]])
  c:type("if(")
  c:wait_ghost("x")
  c:type_each("x")
  same("visible", c:lua([[return require("tandem").is_visible()]]), false)
end)

scripted("a bracket that closes itself while typing along is replaced", function(start)
  local c = start({ script = { rules = { { before = "^pr$", items = { { text = "int(x) + 1" } } }, { null = true } } } }):ready()
  c:lua([[vim.keymap.set("i", "(", "()<Left>")]])
  c:type("ipr")
  c:wait_ghost("int(x) + 1")
  c:type("int(")
  c:wait_ghost("x + 1") -- around the bracket that is there
  same("screen", c:screen(1), "print(x) + 1")
  c:type("<Tab>")
  c:wait("it was accepted", function()
    return c:lines()[1] == "print(x) + 1"
  end)
end)

scripted("many lines before text that stays: it is shown where it will be", function(start)
  local c = start({ script = { rules = { { before = "f%($", items = { { text = "\n  a,\n)", right = 1 } } }, { null = true } } } }):ready()
  c:lua([[vim.keymap.set("i", "(", "();<Left><Left>")]])
  c:type("if(")
  c:wait_ghost("«  »\n  a,\n);")
  same("first", c:screen(1), "f(")
  same("second", c:screen(2), "  a,")
  same("third", c:screen(3), ");")
  c:type("<Tab>")
  c:wait("it was accepted", function()
    return #c:lines() == 3
  end)
  same("buffer", c:lines(), { "f(", "  a,", ");" })
end)

--- Fails if a frame shows behind the cursor what does not go on from before it.
---@param frames tandem.Frame[]
---@return integer with how many showed ghost text
local function check_frames(frames)
  local with = 0
  for _, frame in ipairs(frames) do
    local cursor = frame.col + (frame.mode == "insert" and 0 or 1)
    local left, ghost = frame.rows[frame.row]:sub(1, cursor), frame.rows[frame.row]:sub(cursor + 1)
    local fits = ghost == "" or real
    for k = 1, #TEXT do
      fits = fits or vim.endswith(left, TEXT:sub(1, k)) and ghost == TEXT:sub(k + 1)
    end
    same("frame fits: " .. frame.mode .. " " .. left .. "|" .. ghost, fits, true)
    with = with + (ghost ~= "" and 1 or 0)
  end
  return with
end

test("200 keys leave no stale frame, no ghost text and no request", function(start)
  local rules = { rules = { { completes = TEXT, delays = { 0, 5, 30, 60, 120, 240 } } } }
  local c = start({ script = rules, lines = REAL }):ready()
  c:watch()
  c:type("Go")
  local keys = ("total = sum(values)<BS>) / le + 1<Esc>o"):rep(7)
  keys = keys:gsub("<BS>", "\8"):gsub("<Esc>", "\27"):gsub("<lt>", "<"):sub(1, 200)
  for i = 1, #keys do
    local key = keys:sub(i, i)
    c:type(({ ["\8"] = "<BS>", ["\27"] = "<Esc>", ["<"] = "<lt>" })[key] or key)
    vim.wait(50) -- how fast somebody types, not how long something takes
    if i == 1 and not real then
      c:wait_ghost() -- a server that is slower than the typing would show none
    end
  end
  c:type("<Esc>")
  c:wait("nothing runs", function()
    return c:running() == 0
  end)
  c:settle()
  same("ghost text", c:ghost(), "")
  same("some frames had ghost text", check_frames(c:frames()) > 0 or real, true)
end)
