--- Whether and how a suggestion fits the buffer, which part of it a word or a
--- line is, and where its ghost text goes. Only reads; keeps no state.
local M = {}

local position = require("tandem.position")

--- What an editor or a plugin closes by itself.
local CLOSERS = "^[%)%]%}>\"'`]+$"

--- Turns an item of the protocol into a suggestion for a cursor.
---@param item lsp.InlineCompletionItem|table
---@param moment tandem.Moment the cursor that it was asked for
---@param encoding "utf-8"|"utf-16"|"utf-32"
---@return tandem.Suggestion? suggestion nil if this client cannot show it (a snippet, a range of another line)
function M.from_item(item, moment, encoding)
  if type(item.insertText) ~= "string" then
    return nil
  end
  local line = vim.api.nvim_buf_get_lines(moment.bufnr, moment.row, moment.row + 1, false)[1] or ""
  local start, stop = moment.col, moment.col
  if type(item.range) == "table" then
    if item.range.start.line ~= moment.row or item.range["end"].line ~= moment.row then
      return nil
    end
    start = position.bytes(line, item.range.start.character, encoding)
    stop = position.bytes(line, item.range["end"].character, encoding)
    if start > moment.col or stop < moment.col then
      return nil
    end
  end
  local command = type(item.command) == "table" and item.command or nil
  return {
    bufnr = moment.bufnr,
    row = moment.row,
    start = start,
    text = (item.insertText:gsub("\r\n", "\n")),
    after = line:sub(moment.col + 1),
    right = stop - moment.col,
    id = command and command.arguments and command.arguments[1],
    command = command,
  }
end

--- Finds the characters of `inner` in `outer`, the last possible ones, so that
--- a closing bracket is the outermost one.
---@param outer string
---@param inner string
---@return integer[]? places where each byte of `inner` lies in `outer`, from one; nil if it is no subsequence
local function subsequence(outer, inner)
  if inner:find("[\128-\255]") and not vim.endswith(outer, inner) then
    return nil -- bytes of different characters could match: rather cover it
  end
  local places, at = {}, #outer
  for i = #inner, 1, -1 do
    while at > 0 and outer:byte(at) ~= inner:byte(i) do
      at = at - 1
    end
    if at == 0 then
      return nil
    end
    places[i] = at
    at = at - 1
  end
  return places
end

--- How many bytes right of the cursor an accept replaces now: the text there
--- may have become longer by what was closed by itself, or shorter by what was
--- typed over.
---@param s tandem.Suggestion
---@param after string the text right of the cursor now
---@param rest string what is left to insert
---@return integer? right nil if something else stands there
local function right_of(s, after, rest)
  local grown = #after - #s.after
  if grown == 0 then
    return after == s.after and s.right or nil
  end
  if grown < 0 then
    local fits = -grown <= s.right and after == s.after:sub(1 - grown)
    return fits and s.right + grown or nil
  end
  local closed = after:sub(1, grown)
  local fits = after:sub(grown + 1) == s.after and closed:find(CLOSERS) and subsequence(rest, closed)
  return fits and s.right + grown or nil
end

--- How a suggestion fits a cursor: the text between the start of its range and
--- the cursor must be the beginning of its text.
---@param s tandem.Suggestion
---@param row integer
---@param col integer byte column
---@return tandem.Fit? fit nil if it does not, or nothing of it is left to show
function M.fit(s, row, col)
  if row < s.row or (row == s.row and col < s.start) then
    return nil
  end
  local lines = vim.api.nvim_buf_get_lines(s.bufnr, s.row, row + 1, false)
  if #lines ~= row - s.row + 1 then
    return nil
  end
  local after = lines[#lines]:sub(col + 1)
  lines[#lines] = lines[#lines]:sub(1, col)
  local typed = table.concat(lines, "\n"):sub(s.start + 1)
  if s.text:sub(1, #typed) ~= typed then
    return nil
  end
  local rest = s.text:sub(#typed + 1)
  local right = right_of(s, after, rest)
  if not right or rest == "" or rest == after:sub(1, right) then
    return nil
  end
  return { suggestion = s, row = row, col = col, rest = rest, right = right, after = after, typed = #typed }
end

--- The whole of a text.
---@param text string
---@return string
function M.all(text)
  return text
end

--- The first word of a text, with the white space before it; a run of
--- punctuation is a word too. Bytes of characters beyond ASCII count as
--- letters, so that none is cut in two.
---@param text string
---@return string
function M.word(text)
  return text:match("^%s*[%w_\128-\255]+") or text:match("^%s*[^%w_%s\128-\255]+") or text
end

--- The first line of a text, without its end; if that is empty, the next one
--- with the line end before it.
---@param text string
---@return string
function M.line(text)
  return text:match("^\n*[^\n]+") or text
end

--- Pieces of `text` around the characters of `right` that stay on the screen.
---@param text string
---@param places integer[] of `right` in `text`
---@return { offset: integer, text: string }[]
local function pieces(text, places)
  local out, from = {}, 1
  for i = 1, #places + 1 do
    local to = places[i] or #text + 1
    if to > from then
      out[#out + 1] = { offset = i - 1, text = text:sub(from, to - 1) }
    end
    from = to + 1
  end
  return out
end

--- Where the ghost text goes. Text right of the cursor stays where it is if
--- the suggestion only puts something around it. Otherwise it is covered, and
--- shown behind the suggestion's last line, where accepting would put it.
---@param fit tandem.Fit
---@return tandem.Layout
function M.layout(fit)
  local lines = vim.split(fit.rest, "\n", { plain = true })
  local first = table.remove(lines, 1)
  if #lines == 0 then
    local places = subsequence(first, fit.after:sub(1, fit.right))
    if places then
      return { inline = pieces(first, places), lines = {}, tail = "" }
    end
  elseif not fit.after:find("%S") then
    return { inline = first ~= "" and { { offset = 0, text = first } } or {}, lines = lines, tail = "" }
  end
  return { inline = {}, overlay = first, lines = lines, tail = fit.after:sub(fit.right + 1) }
end

return M
