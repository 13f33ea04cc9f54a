--- One conversation: its messages, the buffer that shows them, the area to write in below.
--
-- Invariants: each message stands in it once, in the order of `position`; states only move
-- forward; messages are marked as seen only while their lines are on the screen of a focused
-- Neovim and the cursor is in this conversation.

local Screen = require("kezd.screen")
local layout = require("kezd.layout")
local render = require("kezd.render")

local PAGE = 50
local ONWARD = 200
local RANK = { queued = 1, accepted = 2, delivered = 3, read = 4, failed = 5, received = 1, seen = 2 }

local Conversation = {}
Conversation.__index = Conversation

local function key(message)
  return message.direction .. message.id
end

--- @param app kezd.app
-- @param contact as contacts.show gave it
function Conversation.new(app, contact)
  local self = setmetatable({
    app = app,
    genesis = contact.genesis,
    contact = contact,
    messages = {},
    known = {},
    pending = {},
    seen_up_to = -1,
  }, Conversation)
  local name = self:name():gsub("[^%w@._-]", "_")
  self.buffer = layout.messages_buffer("kez://" .. name, self)
  self.compose = layout.compose_buffer("kez://" .. name .. ":compose", self)
  self.screen = Screen.new(self.buffer)
  layout.on_edit(self.buffer, function()
    self.screen = Screen.new(self.buffer)
    self:draw()
  end)
  return self
end

--- Whether both buffers are still there; `:bwipeout` takes them away.
function Conversation:valid()
  return vim.api.nvim_buf_is_valid(self.buffer) and vim.api.nvim_buf_is_valid(self.compose)
end

--- Remove what is left of it.
function Conversation:remove()
  for _, buffer in ipairs({ self.buffer, self.compose }) do
    if vim.api.nvim_buf_is_valid(buffer) then
      vim.api.nvim_buf_delete(buffer, { force = true })
    end
  end
end

--- How the other is written.
function Conversation:name()
  return self.app.model:name(self.contact.handle, self.genesis)
end

--- What `to` and `contact` parameters name: the key, which a handle's new owner does not have.
function Conversation:address()
  return self.genesis
end

--- Fetch the newest page; what is here already stays.
function Conversation:load()
  self.loading = true
  self:draw()
  self:_fetch(nil)
end

--- Fetch the page before the oldest message.
function Conversation:older()
  if self.loading then
    return
  elseif not self.cursor then
    self.app.notices:say("this is the beginning of the conversation")
    return
  end
  self.loading = true
  self:_fetch(self.cursor)
end

function Conversation:_fetch(cursor)
  local params = { contact = self:address(), limit = PAGE, cursor = cursor }
  self.app.session:call("chat.history", params, function(err, page)
    self.loading = false
    if err then
      self.app.notices:error(err)
    else
      if cursor or not self.loaded then
        self.cursor = page.next_cursor
      end
      self.loaded = true
      for _, message in ipairs(page.items) do
        self:_put(message)
      end
    end
    self:draw(cursor ~= nil)
    self:see()
  end)
end

--- Events were missed: read everything from the oldest message that is here up to now again, in its place.
function Conversation:catch_up()
  local first = self.messages[1]
  if self.loaded and first then
    self:_onward({ contact = self:address(), limit = ONWARD, after = math.max(first.position - 1, 0) })
  else
    self.loaded = false
    self:_fetch(nil)
  end
end

function Conversation:_onward(params)
  self.app.session:call("chat.history", params, function(err, page)
    if err then
      self.app.notices:error(err)
      return
    end
    for _, message in ipairs(page.items) do
      self:_put(message)
    end
    self:draw()
    self:see()
    if page.next_cursor then
      params.cursor = page.next_cursor
      self:_onward(params)
    end
  end)
end

--- What the other wrote was seen up to that position, here or in another window of the person.
function Conversation:seen(up_to)
  for _, message in ipairs(self.messages) do
    if message.direction == "in" and message.state == "received" and message.position <= up_to then
      message.state = "seen"
      self.stale = true
    end
  end
end

--- Take an event's message; `draw` shows it. What belongs to a page not fetched yet comes with that page.
function Conversation:take(message)
  local first = self.messages[1]
  local further_up = self.cursor and first and message.position < first.position
  if not self.loaded or further_up then
    return
  elseif message.request and not message.text then
    self:_ask(message.id)
  else
    self:_put(message)
    self.stale = true
  end
end

-- Events keep a stranger's words back; who opened the conversation wants to judge them.
function Conversation:_ask(id)
  self.app.session:call("chat.message", { id = id }, function(err, result)
    if not err then
      self:_put(result.message)
      self:draw()
    end
  end)
end

function Conversation:_put(message)
  local old = self.known[key(message)]
  if old and (RANK[message.state] or 0) < (RANK[old.state] or 0) then
    return -- a page that was read before the event
  end
  self.known[key(message)] = message
  if old then
    for at = #self.messages, 1, -1 do
      if self.messages[at] == old then
        table.remove(self.messages, at)
        break
      end
    end
  end
  local at = #self.messages
  while at > 0 and self.messages[at].position > message.position do
    at = at - 1
  end
  table.insert(self.messages, at + 1, message)
end

--- Show what is known now.
-- @param above all that is new comes above what is read
function Conversation:draw(above)
  self.stale = false
  if not self:valid() then
    return
  end
  self.contact = self.app.model.by_genesis[self.genesis] or self.contact
  self.screen:show(render.lines({
    messages = self.messages,
    pending = self.pending,
    name = self:name(),
    contact = self.contact,
    more = self.cursor ~= nil,
    loading = self.loading and #self.messages == 0,
  }), above)
end

--- The position of the last message on the screen of the focused window, nil when nobody looks.
function Conversation:_looked_at()
  local current = vim.api.nvim_get_current_buf()
  if not self.app.focused or (current ~= self.buffer and current ~= self.compose) then
    return nil
  end
  local window = layout.window_of(self.buffer)
  if not window then
    return nil
  end
  local bottom = vim.api.nvim_win_call(window, function()
    return vim.fn.line("w$")
  end)
  for at = math.min(bottom, #self.screen.lines), 1, -1 do
    if self.screen.lines[at].position then
      return self.screen.lines[at].position
    end
  end
end

--- Mark as seen what is on the screen, if somebody looks at it.
function Conversation:see()
  local up_to = self:_looked_at()
  if not up_to or up_to <= self.seen_up_to or self.contact.state ~= "accepted" then
    return
  end
  local waiting = false
  for at = #self.messages, 1, -1 do
    local message = self.messages[at]
    waiting = waiting or message.position <= up_to and message.direction == "in" and message.state == "received"
  end
  if not waiting then
    return
  end
  local before = self.seen_up_to
  self.seen_up_to = up_to
  self.app.session:call("chat.read", { contact = self:address(), up_to = up_to }, function(err)
    if err then
      self.seen_up_to = before -- tried again when somebody looks again
    end
  end)
end

--- The window was scrolled or entered: fetch what is above when its top is reached, mark what is seen.
function Conversation:looked()
  local window = layout.window_of(self.buffer)
  if window and self.cursor and not self.loading then
    local top = vim.api.nvim_win_call(window, function()
      return vim.fn.line("w0")
    end)
    if top <= 1 then
      self:older()
    end
  end
  self:see()
end

--- Whether a person is looking at the end of it: then nothing needs to be announced.
function Conversation:watched()
  local up_to = self:_looked_at()
  local last = self.messages[#self.messages]
  return up_to ~= nil and (last == nil or up_to >= last.position)
end

--- Send a text; shown at once, and given back to the area below if kezd refuses it.
function Conversation:send(text)
  local waiting = { text = text }
  self.pending[#self.pending + 1] = waiting
  self:draw()
  self.app.session:send("chat.send", { to = self:address(), text = text }, function(err, result)
    for at, other in ipairs(self.pending) do
      if other == waiting then
        table.remove(self.pending, at)
      end
    end
    if err then
      self.app.notices:error(err)
      if self:valid() then
        layout.put_back(self.compose, text)
      end
    else
      self:take(result.message)
    end
    self:draw()
  end)
end

--- Send what stands in the area below.
function Conversation:submit()
  local lines = vim.api.nvim_buf_get_lines(self.compose, 0, -1, false)
  local text = table.concat(lines, "\n"):gsub("%s+$", "")
  if text == "" then
    self.app.notices:say("nothing is written yet")
    return
  end
  local fits, why = self.app.share.check(text)
  if not fits then
    self.app.notices:error(why)
    return
  end
  vim.api.nvim_buf_set_lines(self.compose, 0, -1, false, {})
  self:send(text)
end

return Conversation
