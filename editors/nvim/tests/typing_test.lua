--- Ghost text while the user types.

local TEXT = "total = sum(values) / len(values)"

scripted("ghost text appears on the screen after typing", function(start)
  local c = start({ script = { rules = { { completes = TEXT } } } }):ready()
  c:type("itot")
  c:wait_ghost("al = sum(values) / len(values)")
  same("screen", c:screen(1), TEXT)
  same("buffer", c:lines(), { "tot" })
  local highlight = c:lua([[
    local ns = vim.api.nvim_get_namespaces()["tandem.ghost"]
    return vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })[1][4].virt_text[1][2]
  ]])
  same("highlight", highlight, "TandemGhost")
  local asked = c:received("textDocument/inlineCompletion")
  same("asked automatically", asked[#asked].params.context.triggerKind, 2)
  same("told what is shown", #c:wait_received("tandem/didShow", 1) >= 1, true)
end)
