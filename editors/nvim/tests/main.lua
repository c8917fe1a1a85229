--- Runs the tests: `tests/run [NAME]`. Each gets a Neovim and a server of its own.
local tests = os.getenv("TANDEM_TESTS")
package.path = tests .. "/?.lua;" .. package.path
local Child = require("child")

local files = { "typing", "accepting", "keys", "settings", "core", "server" }
local wanted = arg[1]

---@class tandem.Test
---@field name string
---@field body fun(t: tandem.T)
---@field scripted boolean? it says what the server answers, so the real one cannot run it
---@field missing string? what it needs that this Neovim has not

---@type tandem.Test[]
local all = {}

--- Adds a test.
---@param name string
---@param body fun(t: table)
function _G.test(name, body)
  all[#all + 1] = { name = name, body = body }
end

--- Adds a test that needs the scripted server.
---@param name string
---@param body fun(t: table)
function _G.scripted(name, body)
  all[#all + 1] = { name = name, body = body, scripted = true }
end

--- Adds a test of vim.lsp.inline_completion, with the scripted server.
---@param name string
---@param body fun(t: table)
function _G.core(name, body)
  local missing = not vim.lsp.inline_completion and "vim.lsp.inline_completion, of Neovim 0.12" or nil
  all[#all + 1] = { name = name, body = body, scripted = true, missing = missing }
end

--- Fails unless two values are alike.
---@param what string
---@param got any
---@param want any
function _G.same(what, got, want)
  if not vim.deep_equal(got, want) then
    error(("%s: got %s, want %s"):format(what, vim.inspect(got), vim.inspect(want)), 2)
  end
end

if os.getenv("TANDEM_TESTS_FILE") then
  files = {}
  dofile(os.getenv("TANDEM_TESTS_FILE"))
end
for _, name in ipairs(files) do
  dofile(("%s/%s_test.lua"):format(tests, name))
end

local passed, failed, skipped, lacking = 0, {}, 0, 0
for _, t in ipairs(all) do
  local children = {}
  local function start(opts)
    local child = Child.new(opts)
    children[#children + 1] = child
    return child
  end
  if wanted and not t.name:find(wanted, 1, true) then
    goto continue
  end
  if t.missing then
    io.stdout:write("LEFT OUT  ", t.name, ": needs ", t.missing, "\n")
    lacking = lacking + 1
    goto continue
  end
  if t.scripted and Child.real then
    skipped = skipped + 1
    goto continue
  end
  do
    local ok, err = xpcall(t.body, function(e)
      local about = children[#children] and "\n" .. children[#children]:describe() or ""
      return debug.traceback(tostring(e) .. about, 2)
    end, start)
    for _, child in ipairs(children) do
      child:close()
    end
    io.stdout:write(ok and "ok    " or "FAIL  ", t.name, ok and "" or "\n" .. err, "\n")
    io.stdout:flush()
    if ok then
      passed = passed + 1
    else
      failed[#failed + 1] = t.name
    end
  end
  ::continue::
end

io.stdout:write(("\n%d passed, %d failed"):format(passed, #failed))
if skipped > 0 then
  io.stdout:write((", %d left out (they script the server: unset TANDEM_BIN)"):format(skipped))
end
if lacking > 0 then
  io.stdout:write((", %d left out (this Neovim has not what they need)"):format(lacking))
end
io.stdout:write("\n")
for _, name in ipairs(failed) do
  io.stdout:write("  FAIL  ", name, "\n")
end
os.exit(#failed == 0 and 0 or 1)
