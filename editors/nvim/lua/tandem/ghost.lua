--- Draws ghost text with extmarks. One place in one buffer at a time; what is
--- drawn is replaced within one call, so no frame shows half of it.
local M = {}

local suggestion = require("tandem.suggestion")

local namespace = vim.api.nvim_create_namespace("tandem.ghost")

--- The buffer that holds extmarks of ours.
---@type integer?
local drawn_in

--- Links the highlight group unless the user or the colour scheme set it.
function M.define_highlights()
  vim.api.nvim_set_hl(0, "TandemGhost", { link = "Comment", default = true })
end

--- Takes the ghost text off the screen.
function M.clear()
  if drawn_in and vim.api.nvim_buf_is_valid(drawn_in) then
    vim.api.nvim_buf_clear_namespace(drawn_in, namespace, 0, -1)
  end
  drawn_in = nil
end

--- Virtual text shows a tab as ^I, so tabs become the spaces that they will take.
---@param text string
---@param column integer display column at which the text begins
---@param tabstop integer
---@return string
local function expand_tabs(text, column, tabstop)
  if not text:find("\t", 1, true) then
    return text
  end
  local out = ""
  for part, tab in text:gmatch("([^\t]*)(\t?)") do
    out = out .. part
    if tab ~= "" then
      local at = column + vim.api.nvim_strwidth(out)
      out = out .. (" "):rep(tabstop - at % tabstop)
    end
  end
  return out
end

--- Display column of a byte column.
---@param bufnr integer
---@param row integer
---@param col integer
---@return integer
local function display_column(bufnr, row, col)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ""
  return vim.fn.strdisplaywidth(line:sub(1, col))
end

--- Chunks that cover everything right of the cursor.
---@param fit tandem.Fit
---@param layout tandem.Layout
---@param column integer display column of the cursor
---@param tabstop integer
---@return [string, string][]
local function covering(fit, layout, column, tabstop)
  local chunks = { { expand_tabs(layout.overlay, column, tabstop), "TandemGhost" } }
  if #layout.lines == 0 then
    chunks[2] = { expand_tabs(layout.tail, 0, tabstop), "Normal" }
  end
  local width = 0
  for _, chunk in ipairs(chunks) do
    width = width + vim.api.nvim_strwidth(chunk[1])
  end
  local covered = vim.fn.strdisplaywidth(fit.after, column)
  if covered > width then
    chunks[#chunks + 1] = { (" "):rep(covered - width), "Normal" }
  end
  return chunks
end

--- The lines below, the buffer's own text behind the last of them.
---@param layout tandem.Layout
---@param tabstop integer
---@return [string, string][][]
local function lines_below(layout, tabstop)
  local out = {}
  for i, line in ipairs(layout.lines) do
    -- An empty chunk list would draw no line at all.
    out[i] = { { line == "" and " " or expand_tabs(line, 0, tabstop), "TandemGhost" } }
  end
  if #out > 0 and layout.tail ~= "" then
    table.insert(out[#out], { expand_tabs(layout.tail, 0, tabstop), "Normal" })
  end
  return out
end

--- Shows how a suggestion fits, instead of whatever was shown.
---@param fit tandem.Fit
function M.draw(fit)
  M.clear()
  local bufnr, layout = fit.suggestion.bufnr, suggestion.layout(fit)
  local tabstop = vim.bo[bufnr].tabstop
  local column = display_column(bufnr, fit.row, fit.col)
  for _, piece in ipairs(layout.inline) do
    vim.api.nvim_buf_set_extmark(bufnr, namespace, fit.row, fit.col + piece.offset, {
      virt_text = { { expand_tabs(piece.text, column, tabstop), "TandemGhost" } },
      virt_text_pos = "inline",
      hl_mode = "combine",
    })
  end
  if layout.overlay then
    vim.api.nvim_buf_set_extmark(bufnr, namespace, fit.row, fit.col, {
      virt_text = covering(fit, layout, column, tabstop),
      virt_text_pos = "overlay",
    })
  end
  if #layout.lines > 0 then
    vim.api.nvim_buf_set_extmark(bufnr, namespace, fit.row, fit.col, { virt_lines = lines_below(layout, tabstop) })
  end
  drawn_in = bufnr
end

--- Whether something is on the screen.
---@return boolean
function M.is_drawn()
  return drawn_in ~= nil
end

return M
