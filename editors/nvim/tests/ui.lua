--- A user interface of a Neovim: what a user sees, frame by frame. Neovim sends
--- changes of its grid and says `flush` when a frame is complete; everything in
--- between never reaches the eye.
local Ui = {}
Ui.__index = Ui

---@class tandem.Frame
---@field rows string[]
---@field row integer of the cursor, from one
---@field col integer display column of the cursor, from zero
---@field mode string "insert" or another of 'guicursor'

--- Attaches to the Neovim that listens at an address.
---@param address string
---@param columns integer
---@param lines integer
function Ui.attach(address, columns, lines)
  local self = setmetatable({ columns = columns, lines = lines, grid = {}, highlights = {}, frames = {} }, Ui)
  self.colors = { foreground = 0xffffff, background = 0 }
  self.cursor = { row = 0, col = 0 }
  self:clear()
  local handle = function(_, data)
    return data
  end
  self.unpack = vim.mpack.Unpacker({ ext = { [0] = handle, [1] = handle, [2] = handle } })
  self.pipe = assert(vim.uv.new_pipe())
  local connected
  self.pipe:connect(address, function(err)
    connected = err or true
  end)
  vim.wait(5000, function()
    return connected ~= nil
  end, 5)
  assert(connected == true, connected)
  self.pipe:read_start(function(err, data)
    assert(not err, err)
    self:receive(data or "")
  end)
  local options = { rgb = true, ext_linegrid = true }
  self.pipe:write(vim.mpack.encode({ 0, 1, "nvim_ui_attach", { columns, lines, options } }))
  return self
end

function Ui:clear()
  for row = 0, self.lines - 1 do
    self.grid[row] = {}
    for col = 0, self.columns - 1 do
      self.grid[row][col] = { text = " ", highlight = 0 }
    end
  end
end

---@param data string
function Ui:receive(data)
  local at = 1
  while at <= #data do
    local message
    message, at = self.unpack(data, at)
    if message and message[1] == 1 then
      self.answered = message[2]
    elseif message and message[1] == 2 and message[2] == "redraw" then
      for _, batch in ipairs(message[3]) do
        local on = Ui.events[batch[1]]
        for i = 2, on and #batch or 0 do
          on(self, unpack(batch[i]))
        end
      end
    end
  end
end

--- Waits until all that Neovim has to show is in `frames`: it answers behind them.
function Ui:sync()
  self.asked = (self.asked or 1) + 1
  self.pipe:write(vim.mpack.encode({ 0, self.asked, "nvim_command", { "redraw" } }))
  local ok = vim.wait(60000, function()
    return self.answered == self.asked
  end, 5)
  assert(ok, "Neovim does not redraw")
end

--- The events that matter here, by their names in :help ui-linegrid.
Ui.events = {
  default_colors_set = function(self, foreground, background)
    self.colors = { foreground = foreground, background = background }
  end,
  hl_attr_define = function(self, id, attributes)
    self.highlights[id] = attributes
  end,
  grid_clear = Ui.clear,
  grid_resize = function(self, _, columns, lines)
    self.columns, self.lines = columns, lines
    self:clear()
  end,
  grid_cursor_goto = function(self, _, row, col)
    self.cursor = { row = row, col = col }
  end,
  grid_line = function(self, _, row, col, cells)
    local highlight = 0
    for _, cell in ipairs(cells) do
      highlight = cell[2] or highlight
      for _ = 1, cell[3] or 1 do
        self.grid[row][col] = { text = cell[1], highlight = highlight }
        col = col + 1
      end
    end
  end,
  grid_scroll = function(self, _, top, bottom, left, right, rows)
    local first, last, step = top, bottom - 1 - rows, 1
    if rows < 0 then
      first, last, step = bottom - 1, top - rows, -1
    end
    for row = first, last, step do
      for col = left, right - 1 do
        self.grid[row][col] = self.grid[row + rows][col]
      end
    end
  end,
  mode_change = function(self, mode)
    self.mode = mode
  end,
  flush = function(self)
    table.insert(self.frames, self:frame())
  end,
}

--- The grid as text.
---@return tandem.Frame
function Ui:frame()
  local rows = {}
  for row = 0, self.lines - 1 do
    local text = {}
    for col = 0, self.columns - 1 do
      text[#text + 1] = self.grid[row][col].text
    end
    rows[row + 1] = (table.concat(text):gsub("%s+$", ""))
  end
  return { rows = rows, row = self.cursor.row + 1, col = self.cursor.col, mode = self.mode }
end

function Ui:close()
  if not self.pipe:is_closing() then
    self.pipe:close()
  end
end

return Ui
