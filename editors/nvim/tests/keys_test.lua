--- Keys and the mappings that were there before.

local RULES = { rules = { { before = "tot$", items = { { text = "al" } } } } }

scripted("<Tab> is a tab while nothing is shown", function(start)
  local c = start({ script = { rules = {} } }):ready()
  c:lua("vim.bo.expandtab = false")
  c:type("ia<Tab>b")
  c:settle()
  same("buffer", c:lines(), { "a\tb" })
end)

scripted("<Tab> goes to the mapping that was there while nothing is shown", function(start)
  local mappings = {
    [[vim.keymap.set("i", "<Tab>", "mapped")]],
    [[vim.keymap.set("i", "<Tab>", function() vim.api.nvim_put({ "mapped" }, "c", false, true) end)]],
    [[vim.keymap.set("i", "<Tab>", function() return "mapped" end, { expr = true })]],
    [[vim.cmd("inoremap <expr> <Tab> 'map' .. 'ped'")]],
    [[vim.cmd("imap <Tab> <Plug>(x)") vim.cmd("inoremap <Plug>(x) mapped")]],
  }
  for _, mapping in ipairs(mappings) do
    local c = start({ script = RULES, before = mapping }):ready()
    c:type("ia<Tab>b tot")
    c:wait_ghost("al")
    c:type("<Tab>")
    c:settle()
    same("buffer with " .. mapping, c:lines(), { "amappedb total" })
  end
end)

scripted("a user's mapping keeps its key, and checkhealth says so", function(start)
  local c = start({ script = RULES, before = [[vim.keymap.set("i", "<M-w>", "mine")]] }):ready()
  c:type("itot")
  c:wait_ghost("al")
  c:type("<M-w>")
  c:settle()
  same("buffer", c:lines(), { "totmine" })
  c:type("<Esc>")
  c:command("checkhealth tandem")
  same("told", table.concat(c:lines(), "\n"):find("<M-w>: accept_word is not mapped", 1, true) ~= nil, true)
end)

scripted("a key that the user chose covers a mapping, and falls back to it", function(start)
  local before = [[vim.keymap.set("i", "<M-w>", "mine")]]
  local c = start({ script = RULES, before = before, settings = { keymaps = { accept_word = "<M-w>" } } }):ready()
  c:type("i<M-w> tot")
  c:wait_ghost("al")
  c:type("<M-w>")
  c:settle()
  same("buffer", c:lines(), { "mine total" })
end)

scripted("other keys, and none", function(start)
  local c = start({ script = RULES, settings = { keymaps = { accept = "<C-y>", dismiss = false } } }):ready()
  same("dismiss", c:lua([[return vim.fn.maparg("<C-]>", "i")]]), "")
  c:type("itot")
  c:wait_ghost("al")
  c:type("<C-y>")
  c:settle()
  same("buffer", c:lines(), { "total" })
  local none = start({ script = RULES, settings = { keymaps = false } }):ready()
  none:type("itot")
  none:wait_ghost("al")
  none:type("<M-w><Esc>")
  none:settle()
  same("mapped", none:lua([[return #require("tandem.keymaps").list()]]), 0)
  same("functions work without keys", none:lua([[return require("tandem").accept()]]), false)
end)

scripted("setup() twice keeps the fallback", function(start)
  local c = start({ script = RULES, before = [[vim.keymap.set("i", "<Tab>", "mapped")]] }):ready()
  c:lua([[require("tandem").setup(...)]], c.settings)
  c:type("ia<Tab> tot")
  c:wait_ghost("al")
  c:type("<Tab>")
  c:settle()
  same("buffer", c:lines(), { "amapped total" })
  c:lua([[require("tandem.keymaps").remove()]])
  same("the mapping is back", c:lua([[return vim.fn.maparg("<Tab>", "i")]]), "mapped")
end)
