-- Nothing is loaded until it is asked for: setup() is the user's call.
if vim.g.loaded_tandem then
  return
end
vim.g.loaded_tandem = true

vim.api.nvim_create_user_command("Tandem", function(args)
  require("tandem.commands").run(args)
end, {
  nargs = "*",
  desc = "Code completion by a model on this machine; see :help tandem",
  complete = function(...)
    return require("tandem.commands").complete(...)
  end,
})
