--- What a question was about, and whether that still is what the user has in
--- front of them.
local M = {}

---@return tandem.Moment
function M.now()
  local cursor = vim.api.nvim_win_get_cursor(0)
  local bufnr = vim.api.nvim_get_current_buf()
  return {
    bufnr = bufnr,
    changedtick = vim.api.nvim_buf_get_changedtick(bufnr),
    row = cursor[1] - 1,
    col = cursor[2],
  }
end

---@param a tandem.Moment?
---@param b tandem.Moment
---@return boolean
function M.same_text(a, b)
  return a ~= nil and a.bufnr == b.bufnr and a.changedtick == b.changedtick
end

---@param a tandem.Moment?
---@param b tandem.Moment
---@return boolean
function M.same(a, b)
  return M.same_text(a, b) and a.row == b.row and a.col == b.col
end

---@return boolean
function M.inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == "i"
end

return M
