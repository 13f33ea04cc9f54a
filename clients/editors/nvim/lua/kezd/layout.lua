--- Windows and buffers of a conversation: the messages above, the area to write in below.
--
-- Not here: what is in them. Options are set local to these buffers and windows; nothing of
-- the person's own setup changes.

local M = {}

local COMPOSE_HEIGHT = 4
local WINDOW = "setlocal wrap linebreak breakindent nolist nonumber norelativenumber nospell"
  .. " foldcolumn=0 signcolumn=no colorcolumn= nocursorline conceallevel=0 foldmethod=manual fillchars=eob:\\ "

local placeholder = vim.api.nvim_create_namespace("kezd.placeholder")

local function scratch(name, filetype)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buffer, name)
  vim.bo[buffer].bufhidden = "hide"
  vim.bo[buffer].swapfile = false
  vim.bo[buffer].undofile = false
  vim.bo[buffer].modeline = false
  vim.bo[buffer].filetype = filetype
  return buffer
end

local function map(buffer, mode, keys, what, action)
  vim.keymap.set(mode, keys, action, { buffer = buffer, silent = true, nowait = true, desc = what })
end

--- `:edit` empties a buffer; `draw` fills it again.
function M.on_edit(buffer, draw)
  vim.api.nvim_create_autocmd("BufReadCmd", { buffer = buffer, callback = draw })
end

--- A buffer for messages.
function M.messages_buffer(name, conversation)
  local buffer = scratch(name, "kez")
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].undolevels = -1
  map(buffer, "n", "i", "write a message", function()
    M.open_compose(conversation, true)
  end)
  map(buffer, "n", "a", "write a message", function()
    M.open_compose(conversation, true)
  end)
  map(buffer, "n", "q", "close the conversation", function()
    M.close(conversation)
  end)
  map(buffer, "n", "-", "all conversations", function()
    conversation.app:open_list("")
  end)
  return buffer
end

--- Say in the empty area what it is for.
function M.draw_placeholder(conversation)
  local buffer = conversation.compose
  if not vim.api.nvim_buf_is_valid(buffer) then
    return
  end
  vim.api.nvim_buf_clear_namespace(buffer, placeholder, 0, -1)
  local lines = vim.api.nvim_buf_get_lines(buffer, 0, 2, false)
  if #lines == 1 and lines[1] == "" then
    local send_key = conversation.app.config.send_key:gsub("^<[Cc]%-(.)>$", function(letter)
      return "Ctrl-" .. letter:upper()
    end)
    local hint = ("to %s: %s sends, Enter is a new line"):format(conversation:name(), send_key)
    vim.api.nvim_buf_set_extmark(buffer, placeholder, 0, 0, {
      virt_text = { { hint, "KezHint" } },
      virt_text_pos = "overlay",
    })
  end
end

--- A buffer to write in. No `:w` sends it: `:wall` must not send what is half written.
function M.compose_buffer(name, conversation)
  conversation.compose = scratch(name, "kezcompose")
  local buffer = conversation.compose
  map(buffer, { "n", "i" }, conversation.app.config.send_key, "send", function()
    conversation:submit()
  end)
  map(buffer, "n", "q", "close the conversation", function()
    M.close(conversation)
  end)
  vim.api.nvim_create_autocmd({ "TextChanged", "TextChangedI" }, {
    buffer = buffer,
    callback = function()
      M.draw_placeholder(conversation)
    end,
  })
  M.draw_placeholder(conversation)
  return buffer
end

--- A window of this tab that shows the buffer.
function M.window_of(buffer)
  for _, window in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    if vim.api.nvim_win_get_buf(window) == buffer then
      return window
    end
  end
end

--- Show the messages in the current window, at their end, and the area below.
function M.show(conversation)
  vim.api.nvim_win_set_buf(0, conversation.buffer)
  vim.cmd(WINDOW)
  vim.opt_local.statusline = "%!v:lua.require'kezd'.title(" .. conversation.buffer .. ")"
  vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(conversation.buffer), 0 })
  M.open_compose(conversation, false)
end

--- Go to the area below, opening its window if there is none.
function M.open_compose(conversation, insert)
  local window = M.window_of(conversation.compose)
  if window then
    vim.api.nvim_set_current_win(window)
  else
    local above = vim.api.nvim_get_current_win()
    vim.cmd(("noautocmd belowright %dsplit"):format(COMPOSE_HEIGHT))
    vim.api.nvim_win_set_buf(0, conversation.compose)
    vim.cmd(WINDOW .. " winfixheight")
    vim.opt_local.statusline = " "
    M._close_with(above, vim.api.nvim_get_current_win())
  end
  M.draw_placeholder(conversation)
  if insert then
    vim.cmd("startinsert")
  end
end

-- When one of the two windows goes, the other goes, too (unless it is the last one).
function M._close_with(one, other)
  local pair = { one, other }
  for at, window in ipairs(pair) do
    vim.api.nvim_create_autocmd("WinClosed", {
      pattern = tostring(window),
      once = true,
      callback = function()
        local rest = pair[3 - at]
        vim.schedule(function()
          local alone = #vim.api.nvim_list_wins() == 1
          if not alone and vim.api.nvim_win_is_valid(rest) then
            vim.api.nvim_win_close(rest, false)
          end
        end)
      end,
    })
  end
end

--- Close the windows of a conversation; what is half written stays in its buffer.
function M.close(conversation)
  local window = M.window_of(conversation.compose) or M.window_of(conversation.buffer)
  if window and #vim.api.nvim_list_wins() > 2 then
    vim.api.nvim_win_close(window, false)
  elseif window then
    vim.cmd("enew")
    vim.cmd("only")
  end
end

--- Put a text back before what has been written since.
function M.put_back(buffer, text)
  local lines = vim.split(text, "\n", { plain = true })
  local now = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
  local empty = #now == 1 and now[1] == ""
  vim.api.nvim_buf_set_lines(buffer, 0, empty and -1 or 0, false, lines)
end

return M
