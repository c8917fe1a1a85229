--- Types for LuaCATS; nothing here runs. A byte column counts from zero, as
--- the Neovim API does; a row too. `position` in the names of the protocol
--- counts in code units of the client's offset encoding.
---@meta

---@class tandem.Config
---@field enabled boolean false: attached, but silent until `:Tandem toggle`
---@field trigger "auto"|"manual" manual: nothing is asked but by suggest()
---@field filetypes table<string, boolean> by filetype; "*" is for all that are not named
---@field popup "hide"|"show" what ghost text does while a completion menu is open
---@field renderer "own"|"core" who draws: "core" is vim.lsp.inline_completion of Neovim 0.12
---@field keymaps tandem.Keymaps|false false: none at all
---@field binary string? path of tandem; nil: searched for
---@field args string[] after the binary
---@field env table<string, string>? added to the environment of the server
---@field init_options table? initializationOptions of the server, as they are
---@field settings table? answers to workspace/configuration, as they are
---@field restart tandem.Restart

---@class tandem.Keymaps
---@field accept string|false
---@field accept_line string|false
---@field accept_word string|false
---@field dismiss string|false
---@field next string|false
---@field prev string|false
---@field suggest string|false

---@class tandem.Restart
---@field times integer crashes in a row after which the server stays down
---@field delay_ms integer before the first restart; doubled for each later one
---@field stable_ms integer a server that ran this long has no crashes behind it

---@class tandem.Binary
---@field path string
---@field from string where it was found, in words
---@field version string? nil until it was asked

--- What one InlineCompletionItem would do to the buffer. Never changed: whether
--- and how it still fits is computed from the buffer each time.
---@class tandem.Suggestion
---@field bufnr integer
---@field row integer of the replaced range
---@field start integer byte column at which the replaced range begins
---@field text string insertText
---@field after string the line's text right of the cursor when it was answered
---@field right integer how many bytes of `after` are replaced
---@field id any? the server's name for it
---@field command lsp.Command? to be run after it was accepted

--- How a suggestion fits a cursor.
---@class tandem.Fit
---@field suggestion tandem.Suggestion
---@field row integer of the cursor
---@field col integer byte column of the cursor
---@field rest string what accepting inserts at the cursor
---@field right integer how many bytes right of the cursor it replaces
---@field after string the line's text right of the cursor
---@field typed integer bytes of `suggestion.text` that are in the buffer already

--- Where the pieces of a ghost text go.
---@class tandem.Layout
---@field inline { offset: integer, text: string }[] between characters; offset in bytes right of the cursor
---@field overlay string? over everything right of the cursor
---@field lines string[] below the cursor's line
---@field tail string text of the buffer that moves behind the last piece; "" if it stays where it is

--- State of the buffer for which something was asked.
---@class tandem.Moment
---@field bufnr integer
---@field changedtick integer
---@field row integer
---@field col integer byte column

---@class tandem.Request : tandem.Moment
---@field id integer of the LSP request
---@field client_id integer
---@field advance integer? items to step on from the one that is shown
---@field early boolean? the server could answer only after it came

---@class tandem.Status
---@field state "stopped"|"starting"|"unloaded"|"downloading"|"loading"|"ready"|"busy"|"disabled"|"error"
---@field message string?
---@field model string?
---@field progress number? 0 to 1, while downloading or loading
