--- The one place where the parts are put together, and what the commands do.
--
-- An App is made at the first use and lives as long as Neovim; kezd (the module) holds the only one.

local Conversation = require("kezd.conversation")
local List = require("kezd.list")
local Model = require("kezd.model")
local Notices = require("kezd.notices")
local Session = require("kezd.session")
local errors = require("kezd.errors")
local layout = require("kezd.layout")
local paths = require("kezd.paths")
local text = require("kezd.text")

local App = {}
App.__index = App

--- @param config kezd's settings, complete
function App.new(config, version)
  local self = setmetatable({
    config = config,
    conversations = {},
    focused = true,
    share = require("kezd.share"),
  }, App)
  self.session = Session.new({
    path = function()
      return config.socket or paths.socket((vim.uv or vim.loop).os_getenv)
    end,
    profile = config.profile,
    version = version,
    event = function(topic, body)
      self:_event(topic, body)
    end,
    settled = function()
      self:_settled()
    end,
    ready = function(fresh)
      self:_ready(fresh)
    end,
    state = function()
      self:_changed()
    end,
  })
  self.model = Model.new(self.session, function(what)
    self:_listed(what)
  end)
  self.notices = Notices.new(config, self.model)
  self:_watch()
  return self
end

function App:_watch()
  local group = vim.api.nvim_create_augroup("kezd", { clear = true })
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on("FocusGained", function()
    self.focused = true
    self:_looked()
  end)
  on("FocusLost", function()
    self.focused = false
  end)
  on({ "WinScrolled", "WinEnter", "BufEnter", "CursorMoved", "VimResized" }, function()
    self:_looked()
  end)
  on("VimLeavePre", function()
    self.session:stop()
  end)
end

--- The conversation of the current window, if it shows one.
function App:current()
  local buffer = vim.api.nvim_get_current_buf()
  for _, conversation in pairs(self.conversations) do
    if conversation.buffer == buffer or conversation.compose == buffer then
      return conversation
    end
  end
end

function App:_looked()
  local conversation = self:current()
  if conversation and conversation.loaded then
    conversation:looked()
  end
end

function App:_event(topic, body)
  local message = body.message
  if topic == "message" and message then
    local conversation = self.conversations[message.contact]
    if conversation then
      conversation:take(message)
    end
    if body.type == "received" and body.notify and message.state == "received" then
      self.told = self.told or {}
      table.insert(self.told, message)
    end
  elseif topic == "message" and body.type == "seen" then
    local conversation = self.conversations[body.contact]
    if conversation then
      conversation:seen(body.up_to)
    end
  end
  self.model:take(topic, body)
  self.notices:event(topic, body)
end

-- After a batch of events: draw once, mark what is looked at, tell of the rest.
function App:_settled()
  for _, conversation in pairs(self.conversations) do
    if conversation.stale then
      conversation:draw()
      conversation:see()
    end
  end
  local told = self.told or {}
  self.told = nil
  for _, message in ipairs(told) do
    local conversation = self.conversations[message.contact]
    if not (conversation and conversation:watched()) then
      self.notices:received(message)
    end
  end
end

function App:_ready(fresh)
  local server = self.session.server
  if server.state == "open" then -- else it was opened later, and nobody has said whose it is
    self.model.identity = { handle = server.handle, primary = server.primary }
  end
  self:refresh()
  if fresh then
    for _, conversation in pairs(self.conversations) do
      conversation:catch_up()
    end
  end
end

--- Fetch every list anew.
function App:refresh()
  self.session:when_ready(function(err)
    if err then
      self.notices:error(err)
    else
      self.model:want("identity", "contacts", "conversations", "links")
    end
  end)
end

function App:_listed(what)
  if what == "contacts" or what == "identity" then
    for _, conversation in pairs(self.conversations) do
      conversation:draw()
      layout.draw_placeholder(conversation)
    end
  end
  self:_changed()
end

function App:_changed()
  if self.list and vim.api.nvim_buf_is_valid(self.list.buffer) and #vim.fn.win_findbuf(self.list.buffer) > 0 then
    self.list:draw()
  end
  vim.cmd("redrawstatus!")
end

--- The first line of the list: who one is, how messages travel, what is new.
function App:headline()
  local identity, model = self.model.identity, self.model
  local name = identity and identity.handle and text.show(identity.handle) or "kez"
  local said = { name, model:link() }
  local err = self.session.err
  if self.session.state ~= "ready" and err then
    said[2] = errors.format(err)
  elseif model.unread > 0 then
    said[3] = model.unread .. " unread"
  end
  local line = table.concat(said, " · ")
  local group = self.session.err and "KezAlarm" or "KezHint"
  return { text = line, marks = { { 0, #name, "KezYou" }, { #name, #line, group } } }
end

--- For the status line of a conversation's window; no foreign text but the sanitised name.
function App:title(buffer)
  for _, conversation in pairs(self.conversations) do
    if conversation.buffer == buffer then
      local name = conversation:name():gsub("%%", "%%%%")
      local own = self.model:conversation(conversation.genesis)
      local others = math.max(0, self.model.unread - (own and own.unread or 0))
      local right = others > 0 and ("%d unread elsewhere "):format(others) or ""
      return (" %s · %s%%=%s"):format(name, (self.model:link():gsub("%%", "%%%%")), right)
    end
  end
  return ""
end

--- Open the list of conversations.
-- @param modifiers of the command, such as `vertical`
function App:open_list(modifiers)
  if not self.list or not vim.api.nvim_buf_is_valid(self.list.buffer) then
    self.list = List.new(self)
  end
  self:_make_room(modifiers)
  self.list:open()
  self:refresh()
end

-- A window for what comes next: as the modifiers say, in place of what is ours, else as configured.
function App:_make_room(modifiers)
  if modifiers ~= "" then
    vim.cmd(modifiers .. " split")
    return
  end
  local conversation = self:current()
  if conversation then
    local above = layout.window_of(conversation.buffer)
    if above then
      vim.api.nvim_set_current_win(above)
      local below = layout.window_of(conversation.compose)
      if below then
        vim.cmd("noautocmd call nvim_win_close(" .. below .. ", v:false)")
      end
    end
  elseif not (self.list and vim.api.nvim_get_current_buf() == self.list.buffer) then
    vim.cmd(self.config.open_command)
  end
end

--- Open a conversation.
-- @param who a handle or a key
-- @param modifiers of the command
function App:open(who, modifiers)
  self.model:know_self(function(unknown)
    if unknown then
      self.notices:error(unknown)
      return
    end
    self.session:call("contacts.show", { contact = who }, function(err, contact)
      if err then
        self.notices:error(err)
      else
        self:_open(contact, modifiers or "")
      end
    end)
  end)
end

function App:_open(contact, modifiers)
  local conversation = self.conversations[contact.genesis]
  if conversation and not conversation:valid() then
    conversation:remove()
    conversation = nil
  end
  if not conversation then
    self.model.by_genesis[contact.genesis] = contact
    conversation = Conversation.new(self, contact)
    self.conversations[contact.genesis] = conversation
    conversation:load()
  end
  if self:current() ~= conversation then
    self:_make_room(modifiers)
  end
  layout.show(conversation)
  conversation:draw()
  conversation:looked()
end

--- Send a text to somebody, and say what became of it.
-- @param what how it is named in what is said, such as `3 lines of a.lua`
function App:send(who, message, what)
  local fits, why = self.share.check(message)
  if not fits then
    self.notices:error(why)
    return
  end
  self.session:send("chat.send", { to = who, text = message }, function(err, result)
    if err then
      self.notices:error(err)
      return
    end
    local conversation = self.conversations[result.message.contact]
    if conversation then
      conversation:take(result.message)
      conversation:draw()
    end
    self.notices:say(("%s → %s"):format(what, self.model:name(result.message.handle, result.message.contact)))
  end)
end

--- Carry out a decision about a contact.
function App:decide(method, who)
  self.session:call(method, { contact = who }, function(err, contact)
    if err then
      self.notices:error(err)
    else
      self.notices:say(("%s: %s"):format(self.model:name(contact.handle, contact.genesis), contact.state))
      self.model:want("contacts", "conversations")
    end
  end)
end

--- Make somebody a contact.
function App:add(handle)
  self.session:call("contacts.add", { handle = handle }, function(err, contact)
    if err then
      self.notices:error(err)
    else
      self.notices:say(("%s is a contact now"):format(self.model:name(contact.handle, contact.genesis)))
      self.model:want("contacts", "conversations")
    end
  end)
end

return App
