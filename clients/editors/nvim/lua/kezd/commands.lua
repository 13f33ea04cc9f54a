--- What the commands do with their arguments, and how handles are completed.

local M = {}

local COMPLETION_MS = 400

local function app()
  return require("kezd").app()
end

local function split(args)
  return args:match("^(%S+)%s*(.*)$")
end

--- Who is meant: the argument, or whose conversation this is. Nil, and said, when nobody is.
local function whom(args)
  local who, rest = split(args)
  if who then
    return who, rest
  end
  local conversation = app():current()
  if conversation then
    return conversation:address(), ""
  end
  app().notices:error({ message = "whom?", hint = "name a handle, such as @bob" })
end

--- Handles that begin with what is typed.
function M.complete_handle(lead)
  local running = app()
  if not running.model.listed then
    running.session:when_ready(function() end)
    vim.wait(COMPLETION_MS, function()
      return running.model.listed
    end, 10)
  end
  local found = {}
  for _, contact in ipairs(running.model.contacts) do
    local name = running.model:name(contact.handle, contact.genesis)
    if contact.handle and vim.startswith(name, lead:sub(1, 1) == "@" and lead or "@" .. lead) then
      found[#found + 1] = name
    end
  end
  return found
end

--- The first argument is a handle; the second one, with `files`, a file.
local function complete(files)
  return function(lead, line, position)
    local before = line:sub(1, position - #lead)
    local words = #vim.split(before:gsub("^%s*%S*Kez", "Kez"), "%s+", { trimempty = true })
    if words <= 1 then
      return M.complete_handle(lead)
    end
    return files and words == 2 and vim.fn.getcompletion(lead, "file") or {}
  end
end

local function send(options)
  local who, message = split(options.args)
  if who and message ~= "" then
    app():send(who, message, "sent")
    return
  end
  local conversation = app():current()
  if conversation and not who then
    conversation:submit()
  else
    app().notices:error({ message = "nothing to send", hint = ":KezSend @bob TEXT" })
  end
end

local function share(options)
  local who, note = whom(options.args)
  if not who then
    return
  end
  local buffer = vim.api.nvim_get_current_buf()
  local running = app()
  local message, err, count = running.share.range(buffer, options.line1, options.line2)
  if err then
    running.notices:error(err)
    return
  end
  if note ~= "" then
    message = note .. "\n" .. message
  end
  running:send(who, message, count == 1 and "1 line" or count .. " lines")
end

-- The file at point where there is no file of one's own (a directory listing, a quickfix list), or with `!`.
local function file_meant(options, named)
  if named ~= "" then
    return vim.fn.expand(named)
  end
  local own = vim.api.nvim_buf_get_name(0)
  if options.bang or vim.bo.buftype ~= "" or own == "" or vim.fn.isdirectory(own) == 1 then
    local at_point = vim.fn.expand("<cfile>")
    local below = vim.fn.isdirectory(own) == 1 and own .. "/" .. at_point or at_point
    return vim.fn.filereadable(below) == 1 and below or at_point
  end
  return own
end

local function share_file(options)
  local who, named = whom(options.args)
  if not who then
    return
  end
  local running, path = app(), file_meant(options, named)
  local is_own = path == vim.api.nvim_buf_get_name(0)
  if is_own and vim.bo.modified then
    running.notices:error({ message = "this file has changes that are not written", hint = ":write, then share it" })
    return
  end
  local message, err = running.share.file(path, is_own and vim.bo.filetype or "")
  if err then
    running.notices:error(err)
  else
    running:send(who, message, running.share.name(path))
  end
end

local function older()
  local conversation = app():current()
  if conversation then
    conversation:older()
  else
    app().notices:error({ message = "this is no conversation", hint = ":KezOpen @bob" })
  end
end

local function decide(method)
  return function(options)
    local who = whom(options.args)
    if who then
      app():decide(method, who)
    end
  end
end

-- Name, what it does, options of nvim_create_user_command.
local COMMANDS = {
  { "Kez", function(options) app():open_list(options.mods) end, { desc = "all conversations" } },
  { "KezOpen", function(options) app():open(options.args, options.mods) end,
    { nargs = 1, complete = complete(false), desc = "a conversation" } },
  { "KezOlder", older, { desc = "older messages of this conversation" } },
  { "KezSend", send, { nargs = "*", complete = complete(false), desc = "send a message" } },
  { "KezShare", share, { nargs = "*", range = true, complete = complete(false), desc = "share these lines" } },
  { "KezShareFile", share_file, { nargs = "*", bang = true, complete = complete(true), desc = "share a file" } },
  { "KezAdd", function(options) app():add(options.args) end, { nargs = 1, desc = "make somebody a contact" } },
  { "KezAccept", decide("contacts.accept"), { nargs = "?", complete = complete(false), desc = "accept a stranger" } },
  { "KezBlock", decide("contacts.block"), { nargs = "?", complete = complete(false), desc = "block somebody" } },
  { "KezHealth", function() vim.cmd("checkhealth kezd") end, { desc = "what works and what does not" } },
}

--- Define the commands.
function M.define()
  for _, command in ipairs(COMMANDS) do
    vim.api.nvim_create_user_command(command[1], command[2], command[3])
  end
end

return M
