-- Defines the commands of kezd.nvim; nothing is loaded or connected before one of them is used.
if vim.g.loaded_kezd then
  return
end
vim.g.loaded_kezd = true

if vim.fn.has("nvim-0.7") == 0 then
  vim.api.nvim_err_writeln("kezd.nvim needs Neovim 0.7 or newer")
  return
end

require("kezd.commands").define()
