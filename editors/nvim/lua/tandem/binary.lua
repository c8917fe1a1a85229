--- Finds the tandem binary and asks for its version. Knows nothing of LSP.
local M = {}

--- The oldest version that speaks this plugin's protocol.
M.needs = "0.1.0"

--- How long `tandem version` may take: it reads nothing, but the disk may be cold.
local VERSION_TIMEOUT_MS = 10000

--- The repository that holds this file, where the plugin is used from a clone.
---@return string
local function repository()
  local here = debug.getinfo(1, "S").source:sub(2)
  here = vim.uv.fs_realpath(here) or here -- packages are often links into a clone
  return vim.fn.fnamemodify(here, ":p:h:h:h:h:h") -- editors/nvim/lua/tandem/binary.lua
end

--- Looks where the setting says, or on PATH, or in bin/ of the repository.
--- A setting that names nothing executable is an error: nothing else is tried,
--- since the user would not learn that something else runs.
---@param setting string?
---@return tandem.Binary? found
---@return string? problem with its remedy
function M.find(setting)
  if setting and setting ~= "" then
    local path = vim.fn.exepath(vim.fn.expand(setting))
    if path == "" then
      return nil, ('binary = "%s" in setup() is no program: set it to the path of tandem, or leave it out'):format(setting)
    end
    return { path = path, from = "the setting `binary`" }
  end
  local path = vim.fn.exepath("tandem")
  if path ~= "" then
    return { path = path, from = "PATH" }
  end
  path = vim.fn.exepath(repository() .. "/bin/tandem")
  if path ~= "" then
    return { path = path, from = "bin/ of the repository" }
  end
  return nil,
    "the program `tandem` was not found: put it on PATH, run `make build` in the repository, "
      .. "or name it with `binary` in setup(); see :checkhealth tandem"
end

--- Whether a version is new enough. What comes before a release ("0.1.0-dev")
--- counts as the release: it is what developers run.
---@param version string
---@return boolean
function M.new_enough(version)
  local have = vim.version.parse((version:gsub("[-+].*$", "")))
  return have ~= nil and not vim.version.lt(have, M.needs)
end

---@param path string
---@param result vim.SystemCompleted
---@return string? version
---@return string? problem with its remedy
local function read_version(path, result)
  local ok, answer = pcall(vim.json.decode, result.stdout or "")
  if result.code ~= 0 or not ok or type(answer) ~= "table" or type(answer.version) ~= "string" then
    local said = vim.trim((result.stderr or "") .. "")
    return nil,
      ("`%s version --json` gave no version (exit %d%s): is this tandem? Build it again, or set `binary`"):format(
        path,
        result.code,
        said ~= "" and ": " .. said:match("[^\n]*") or ""
      )
  end
  if not M.new_enough(answer.version) then
    return nil,
      ("%s is version %s and this plugin needs %s: update tandem, or set `binary`"):format(path, answer.version, M.needs)
  end
  return answer.version
end

--- Finds the binary and checks its version. Calls back once, on the main loop.
---@param setting string?
---@param done fun(found: tandem.Binary?, problem: string?)
function M.check(setting, done)
  local found, problem = M.find(setting)
  if not found then
    return done(nil, problem)
  end
  local command = { found.path, "version", "--json" }
  local on_exit = vim.schedule_wrap(function(result)
    local version, wrong = read_version(found.path, result)
    found.version = version
    done(version and found or nil, wrong)
  end)
  local ok, err = pcall(vim.system, command, { text = true, timeout = VERSION_TIMEOUT_MS }, on_exit)
  if not ok then
    done(nil, ("%s cannot be started (%s): build it again, or set `binary`"):format(found.path, err))
  end
end

return M
