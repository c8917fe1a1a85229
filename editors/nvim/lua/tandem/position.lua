--- Columns: bytes in the buffer, code units of an encoding on the wire.
--- Neovim 0.11 changed the signatures of the two functions that convert.
local M = {}

local named_encodings = vim.fn.has("nvim-0.11") == 1

--- Length of a text in code units.
---@param text string
---@param encoding "utf-8"|"utf-16"|"utf-32"
---@return integer
function M.units(text, encoding)
  if encoding == "utf-8" then
    return #text
  end
  if named_encodings then
    return vim.str_utfindex(text, encoding)
  end
  local utf32, utf16 = vim.str_utfindex(text)
  return encoding == "utf-16" and utf16 or utf32
end

--- Length in bytes of the first code units of a line; all of it if there are fewer.
---@param line string
---@param units integer
---@param encoding "utf-8"|"utf-16"|"utf-32"
---@return integer
function M.bytes(line, units, encoding)
  if units >= M.units(line, encoding) then
    return #line
  end
  if encoding == "utf-8" then
    return units
  end
  if named_encodings then
    return vim.str_byteindex(line, encoding, units, false)
  end
  return vim.str_byteindex(line, units, encoding == "utf-16")
end

--- A place in a buffer as the protocol writes it.
---@param bufnr integer
---@param row integer
---@param col integer byte column
---@param encoding "utf-8"|"utf-16"|"utf-32"
---@return lsp.Position
function M.to_lsp(bufnr, row, col, encoding)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ""
  return { line = row, character = M.units(line:sub(1, col), encoding) }
end

return M
