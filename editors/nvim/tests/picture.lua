--- `tests/picture`: a screen with ghost text as an SVG.
package.path = os.getenv("TANDEM_TESTS") .. "/?.lua;" .. package.path
local Child, Ui = require("child"), require("ui")

--- Size of a cell; fonts differ, so each run of text is stretched to its cells.
local WIDTH, HEIGHT, MARGIN = 9, 20, 12

---@param text string
---@return string
local function escape(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"))
end

---@param color integer
---@return string
local function hex(color)
  return ("#%06x"):format(color)
end

--- Colours and style of a cell.
---@param ui table
---@param id integer of its highlight
---@return string foreground
---@return string background
---@return string style
local function look(ui, id)
  local h = ui.highlights[id] or {}
  local front, back = h.foreground or ui.colors.foreground, h.background or ui.colors.background
  if h.reverse then
    front, back = back, front
  end
  return hex(front), hex(back), (h.bold and ' font-weight="bold"' or "") .. (h.italic and ' font-style="italic"' or "")
end

--- Runs of cells that look alike.
---@param ui table
---@param row integer from zero
---@return { col: integer, cells: integer, text: string, highlight: integer }[]
local function runs(ui, row)
  local out = {}
  for col = 0, ui.columns - 1 do
    local cell, last = ui.grid[row][col], out[#out]
    if last and last.highlight == cell.highlight then
      last.text, last.cells = last.text .. cell.text, last.cells + 1
    else
      out[#out + 1] = { col = col, cells = 1, text = cell.text, highlight = cell.highlight }
    end
  end
  return out
end

---@param ui table
---@return string
local function svg(ui)
  local width, height = ui.columns * WIDTH + 2 * MARGIN, ui.lines * HEIGHT + 2 * MARGIN
  local out = {
    ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" '):format(width, height, width, height)
      .. 'font-family="ui-monospace, monospace" font-size="15" xml:space="preserve">',
    ('<rect width="%d" height="%d" rx="6" fill="%s"/>'):format(width, height, hex(ui.colors.background)),
  }
  for row = 0, ui.lines - 1 do
    for _, run in ipairs(runs(ui, row)) do
      local front, back, style = look(ui, run.highlight)
      local x, y = MARGIN + run.col * WIDTH, MARGIN + row * HEIGHT
      if back ~= hex(ui.colors.background) then
        out[#out + 1] = ('<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>'):format(x, y, run.cells * WIDTH, HEIGHT, back)
      end
      local text = run.text:gsub("%s+$", "")
      if text ~= "" then
        out[#out + 1] = ('<text x="%d" y="%d" fill="%s" textLength="%d" lengthAdjust="spacingAndGlyphs"%s>%s</text>'):format(
          x, y + 15, front, (run.cells - #run.text + #text) * WIDTH, style, (escape(text):gsub(" ", "\194\160")))
      end
    end
  end
  local x, y = MARGIN + ui.cursor.col * WIDTH, MARGIN + ui.cursor.row * HEIGHT
  out[#out + 1] = ('<rect x="%d" y="%d" width="2" height="%d" fill="%s"/>'):format(x, y + 1, HEIGHT - 2, hex(ui.colors.foreground))
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

local path, file, keys = arg[1], arg[2], arg[3]
local columns, lines = tonumber(arg[4] or "80"), tonumber(arg[5] or "20")
local rules = { { completes = ((os.getenv("TANDEM_COMPLETES") or ""):gsub("\\n", "\n"):gsub("\\t", "\t")) } }
local c = Child.new({ file = vim.fs.basename(file), lines = vim.fn.readfile(file), script = { rules = rules } })
local ok, err = pcall(function()
  local ui = Ui.attach(c.dir .. "/socket", columns, lines)
  c:command("set laststatus=2 shortmess+=F noruler statusline=%t%=%{v:lua.require'tandem'.status()}")
  c:ready()
  c:type(keys)
  c:wait_ghost()
  c:settle()
  ui:sync()
  local out = assert(io.open(path, "w"))
  out:write(svg(ui))
  out:close()
  print(table.concat(ui.frames[#ui.frames].rows, "\n"))
  ui:close()
end)
c:close()
if not ok then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
