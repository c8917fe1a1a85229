--- The life of the server, and what is told of it.

local METHOD = "textDocument/inlineCompletion"
local RULES = { { before = "tot$", items = { { text = "al" } } } }

scripted("after a crash the server comes back by itself", function(start)
  local c = start({ script = { rules = RULES } }):ready()
  c:type("itot")
  c:wait_ghost("al")
  c:script({ stats_crash = true })
  c:lua([[require("tandem.client").request(0, "tandem/stats", {}, function() end)]])
  c:wait_received("initialize", 2)
  c:wait_none() -- what the server that is gone suggested
  c:ready()
  c:script({ rules = RULES })
  c:type("<C-u>tot")
  c:wait_ghost("al")
  same("messages", c:messages(), {})
end)

scripted("a server that crashes again and again is started three times more, later each time", function(start)
  local c = start({ script = { start = "crash" }, no_setup = true })
  c:lua([[
    _G.delays = {}
    local defer = vim.defer_fn
    vim.defer_fn = function(fn, ms) table.insert(_G.delays, ms) return defer(fn, ms) end
    require("tandem").setup(...)
  ]], c.settings)
  c:wait("it is told", function()
    return #c:messages() > 0
  end)
  same("starts", #c:received("initialize"), 4)
  same("delays", c:lua("return _G.delays"), { 20, 40, 80 })
  same("messages", #c:messages(), 1)
  for _, word in ipairs({ "4 times in a row", "exit 3", ":Tandem log", ":Tandem restart" }) do
    same(word, c:messages()[1]:find(word, 1, true) ~= nil, true)
  end
  same("status line", c:lua([[return require("tandem").status()]]), "tandem: error")
  c:script({ rules = RULES })
  c:command("Tandem restart")
  c:ready()
  c:type("itot")
  c:wait_ghost("al")
end)

scripted("restart ends the server and starts another", function(start)
  local c = start({ script = { rules = RULES }, settings = { restart = { times = 0 } } }):ready() -- it is no crash
  c:command("Tandem restart")
  c:wait_received("exit", 1)
  c:wait_received("initialize", 2)
  c:ready()
  same("opened again", #c:wait_received("textDocument/didOpen", 2), 2)
  same("messages", c:messages(), {})
end)

scripted("no binary: one message with the remedy", function(start)
  local c = start({ settings = { binary = "/nowhere/tandem" } })
  c:command("edit other.lua")
  c:type("ihello<Esc>")
  c:settle()
  c:wait("it is told", function()
    return #c:messages() > 0
  end)
  same("messages", #c:messages(), 1)
  for _, word in ipairs({ "/nowhere/tandem", "set it to the path" }) do
    same(word, c:messages()[1]:find(word, 1, true) ~= nil, true)
  end
  same("status line", c:lua([[return require("tandem").status()]]), "tandem: error")
end)

scripted("no binary anywhere: the message names the three places", function(start)
  local c = start({ no_setup = true, before = [[vim.env.PATH = "/nowhere"]] })
  c:lua([[
    local exepath = vim.fn.exepath
    vim.fn.exepath = function(name) return name:find("/bin/tandem$") and "" or exepath(name) end
    require("tandem").setup()
  ]])
  c:wait("it is told", function()
    return #c:messages() > 0
  end)
  for _, word in ipairs({ "PATH", "make build", "`binary`" }) do
    same(word, c:messages()[1]:find(word, 1, true) ~= nil, true)
  end
end)

scripted("the binary is found on PATH, then in the repository", function(start)
  local c = start({ no_setup = true })
  local found = c:lua([[
    vim.env.PATH = ... .. ":" .. vim.env.PATH
    return require("tandem.binary").find(nil)
  ]], c.dir)
  same("on PATH", found, { path = c.dir .. "/tandem", from = "PATH" })
  local plugin = vim.fn.fnamemodify(os.getenv("TANDEM_TESTS"), ":h")
  assert(vim.uv.fs_symlink(plugin, c.dir .. "/link"))
  found = c:lua([[
    vim.env.PATH = "/nowhere"
    vim.fn.exepath = function(name) return name:find("/bin/tandem$") and name or "" end
    return { require("tandem.binary").find(nil), dofile(... .. "/lua/tandem/binary.lua").find(nil) }
  ]], c.dir .. "/link")
  local repository = vim.fn.fnamemodify(plugin, ":h:h")
  same("in the repository", found[1].path, repository .. "/bin/tandem")
  same("through a link", found[2].path, repository .. "/bin/tandem")
end)

scripted("a binary that is too old or is none: one message, nothing is started", function(start)
  for version, word in pairs({ ["0.0.9"] = "version 0.0.9", [""] = "gave no version" }) do
    local c = start({ script = { version = version == "" and 7 or version } })
    c:wait("it is told", function()
      return #c:messages() > 0
    end)
    same(word, c:messages()[1]:find(word, 1, true) ~= nil, true)
    same("started", #c:received("initialize"), 0)
  end
end)

scripted("status goes to status lines and events", function(start)
  local status = { { state = "downloading", progress = 0.4, message = "qwen" }, { state = "loading", progress = 0.4 } }
  local before = [[
    _G.heard = {}
    vim.api.nvim_create_autocmd("User", { pattern = "TandemStatus", callback = function(event)
      table.insert(_G.heard, require("tandem").status(vim.fn.bufnr("demo.py")))
    end })
  ]]
  local c = start({ script = { status = status }, before = before })
  c:wait("the last status", function()
    return c:lua([[return require("tandem").status()]]) == "tandem: loading 40%"
  end)
  same("heard", c:lua("return _G.heard"), { "tandem: starting", "tandem: downloading 40%", "tandem: loading 40%" })
  c:script({ status = { { state = "ready", model = "m" } }, rules = RULES })
  c:command("Tandem restart")
  c:ready()
  same("described", c:lua([[return require("tandem.status").describe()]])[2], "model: m")
end)

scripted("a server whose model becomes ready while the user types is asked again", function(start)
  local c = start({ script = { status = { { state = "loading" } } } })
  c:wait("it is loading", function()
    return c:lua([[return require("tandem").status()]]) == "tandem: loading"
  end)
  c:type("i")
  c:type_each("tot")
  c:wait("nothing is asked", function()
    return #c:received(METHOD) > 0 and c:running() == 0
  end)
  c:script({ stats_status = { { state = "ready" } }, rules = RULES })
  c:lua([[require("tandem.client").request(0, "tandem/stats", {}, function() end)]])
  c:wait_ghost("al")
end)

scripted("a question that the model came too late for is asked again", function(start)
  local c = start({ script = { status = { { state = "loading" } }, rules = { { null = true, hold = true } } } })
  c:wait("it is loading", function()
    return c:lua([[return require("tandem").status()]]) == "tandem: loading"
  end)
  c:type("i")
  c:type_each("tot")
  c:wait("it is asked", function()
    return c:running() == 1
  end)
  c:script({ stats_status = { { state = "ready" } }, rules = RULES })
  c:lua([[require("tandem.client").request(0, "tandem/stats", {}, function() end)]])
  c:wait("it is ready", function()
    return c:lua([[return require("tandem").status()]]) == "tandem"
  end)
  c:release()
  c:wait_ghost("al")
end)

scripted("settings that nobody made are an empty object", function(start)
  local c = start({ script = { rules = RULES } }):ready()
  same("answer", c:lua([[return vim.json.encode(require("tandem.client").settings({ items = { { section = "tandem" } } }))]]), "[{}]")
end)

scripted("what the server tells the user goes through vim.notify", function(start)
  local c = start({ script = { stats_message = "no model: pull one" } }):ready()
  c:lua([[require("tandem.client").request(0, "tandem/stats", {}, function() end)]])
  c:wait("a message", function()
    return c:messages()[1] == "tandem: no model: pull one"
  end)
end)

scripted("a server that comes while the user types is asked", function(start)
  local c = start({ script = { rules = RULES }, no_setup = true })
  c:type("itot")
  c:settle()
  c:lua([[require("tandem").setup(...)]], c.settings)
  c:wait_ghost("al")
end)

scripted("stats, explain and log show what there is", function(start)
  local c = start({ script = { rules = RULES, stats = { shown = 3, accepted = 2 }, explain = "too long a suffix" } }):ready()
  for command, wanted in pairs({ stats = "accepted: 2\nshown: 3", explain = "too long a suffix" }) do
    c:command("Tandem " .. command)
    c:wait(command, function()
      return table.concat(c:lines(), "\n") == wanted
    end)
    c:type("q")
    c:wait("the window is closed", function()
      return c:lua([[return #vim.api.nvim_list_wins()]]) == 1
    end)
  end
  same("position", c:received("tandem/explain")[1].params.position, { line = 0, character = 0 })
  c:command("Tandem log")
  c:wait("the log", function()
    return c:lua([[return vim.api.nvim_buf_get_name(0)]]) == c.record_path
  end)
  same("completion of names", c:lua([[return vim.fn.getcompletion("Tandem st", "cmdline")]]), { "stats", "status" })
  c:command("edit " .. c.path)
  local status = c:lua([[return vim.fn.execute("Tandem status")]])
  for _, word in ipairs({ "state: ready", "model: scripted", "this buffer: attached" }) do
    same(word .. " in " .. status, status:find(word, 1, true) ~= nil, true)
  end
  c:command("Tandem nonsense")
  c:wait("a message", function()
    return (c:messages()[1] or ""):find("there is no :Tandem nonsense", 1, true)
  end)
end)

test("checkhealth: binary, server, keys", function(start)
  local c = start({ script = { rules = RULES } }):ready()
  c:command("checkhealth tandem")
  local text = table.concat(c:lines(), "\n")
  for _, word in ipairs({ "version 0.1.0", "the setting `binary`", "state: ", "1 buffers attached", "<Tab>: accept" }) do
    same(word .. " in " .. text, text:find(word, 1, true) ~= nil, true)
  end
  same("errors in " .. text, text:find("ERROR"), nil)
end)

scripted("explain is about the place that was typed at, not the one that <Esc> steps back to", function(start)
  local c = start({ script = { rules = RULES, explain = "why" }, lines = { "é" } }):ready()
  for i, keys in ipairs({ "A tot", "0", "A é" }) do
    c:type(keys)
    c:settle()
    c:type("<Esc>")
    c:settle()
    c:command("Tandem explain")
    c:wait("the answer is shown", function()
      return c:lines()[1] == "why"
    end)
    c:type("q")
    c:settle()
    same("column after " .. keys, c:wait_received("tandem/explain", i)[i].params.position.character, ({ 6, 0, 9 })[i])
  end
end)

scripted("checkhealth without a binary: the error and its remedy", function(start)
  local c = start({ settings = { binary = "/nowhere/tandem" } })
  c:command("checkhealth tandem")
  local text = table.concat(c:lines(), "\n")
  for _, word in ipairs({ "ERROR", "make build", "/nowhere/tandem" }) do
    same(word .. " in " .. text, text:find(word, 1, true) ~= nil, true)
  end
end)

scripted("nothing is loaded before setup(), and :Tandem works without it", function(start)
  local c = start({ no_setup = true })
  same("modules", c:lua([[
    return vim.tbl_filter(function(name) return vim.startswith(name, "tandem") end, vim.tbl_keys(package.loaded))
  ]]), {})
  c:command("Tandem status")
  same("requests", #c:received(METHOD), 0)
end)

scripted("help tags build without an error, and each is there once", function(start)
  local c = start({ no_setup = true })
  local copy = c.dir .. "/doc"
  vim.fn.mkdir(copy)
  local help = vim.fn.fnamemodify(os.getenv("TANDEM_TESTS"), ":h") .. "/doc/tandem.txt"
  assert(vim.uv.fs_copyfile(help, copy .. "/tandem.txt"))
  c:command("helptags " .. copy)
  c:lua([[vim.opt.rtp:append(...)]], c.dir)
  for _, tag in ipairs({ "tandem", "tandem-settings", "tandem-keys", ":Tandem", "tandem.accept()" }) do
    c:command("help " .. tag)
    same("file of " .. tag, c:lua([[return vim.fn.expand("%:t")]]), "tandem.txt")
  end
  local names = c:lua([[return vim.tbl_keys(require("tandem.config").defaults)]])
  local text = table.concat(vim.fn.readfile(help), "\n")
  for _, name in ipairs(names) do
    same("setting in the help: " .. name, text:find("\n" .. name .. " ") ~= nil, true)
  end
end)
