--- What the person has: identity, contacts, conversations, unread counts, links.
--
-- A copy for the eye, never a second truth: conversations are replaced by what their events say,
-- contacts are fetched again when one changed (a burst is one fetch). Messages of an open
-- conversation are not here but in kezd.conversation.

local text = require("kezd.text")

local PAGE = 200
local GATHER_MS = 80

local Model = {}
Model.__index = Model

--- @param session kezd.session
-- @param changed function(what) after a list came: identity, contacts, conversations, links
function Model.new(session, changed)
  return setmetatable({
    session = session,
    changed = changed,
    conversations = {},
    contacts = {},
    by_genesis = {},
    links = {},
    unread = 0,
    requests = 0,
    alarms = 0,
    due = {},
  }, Model)
end

--- How somebody is written: `@bob` on the person's own server, `@bob@server` elsewhere.
function Model:name(handle, genesis)
  if not handle then
    return text.show(tostring(genesis or "somebody")):sub(1, 20) .. "…"
  end
  local own = self.identity and self.identity.handle
  local server = own and own:match("@(.+)$")
  local short = server and handle:match("^([^@]+)@(.+)$")
  if short and handle == short .. "@" .. server then
    return "@" .. text.show(short)
  end
  return "@" .. text.show(handle)
end

--- The conversation with a contact, nil when there is none yet.
function Model:conversation(genesis)
  for _, conversation in ipairs(self.conversations) do
    if conversation.contact == genesis then
      return conversation
    end
  end
end

--- In one word: how messages travel now.
function Model:link()
  if self.session.state ~= "ready" then
    return self.session.state == "off" and "off" or "no kezd"
  end
  local nats = self.links.nats
  return nats and text.show(nats.state) or "…"
end

--- Fetch lists soon; several wishes within 80 ms are one.
function Model:want(...)
  local idle = next(self.due) == nil
  for _, what in ipairs({ ... }) do
    self.due[what] = true
  end
  if idle then
    vim.defer_fn(function()
      local due = self.due
      self.due = {}
      for what in pairs(due) do
        self["_fetch_" .. what](self)
      end
    end, GATHER_MS)
  end
end

function Model:_pages(method, done, cursor, items)
  items = items or {}
  self.session.rpc:call(method, { limit = PAGE, cursor = cursor }, function(err, page)
    if err then
      return -- the connection ended; the next one lists again
    end
    vim.list_extend(items, page.items)
    if page.next_cursor and self.session.rpc then
      self:_pages(method, done, page.next_cursor, items)
    else
      done(items)
    end
  end)
end

function Model:_fetch_conversations()
  if not self.session.rpc then
    return
  end
  self:_pages("chat.conversations", function(items)
    self.conversations = items
    self:_count()
    self.changed("conversations")
  end)
end

function Model:_fetch_contacts()
  if not self.session.rpc then
    return
  end
  self:_pages("contacts.list", function(items)
    self.contacts, self.by_genesis, self.alarms, self.listed = items, {}, 0, true
    for _, contact in ipairs(items) do
      self.by_genesis[contact.genesis] = contact
      self.alarms = self.alarms + (contact.alarm and 1 or 0)
    end
    self.changed("contacts")
  end)
end

--- `done(err)` once it is known who the person is: names are written by it.
function Model:know_self(done)
  if self.identity then
    done(nil)
    return
  end
  self.session:call("identity.show", {}, function(err, identity)
    self.identity = identity or self.identity
    done(err)
  end)
end

function Model:_fetch_identity()
  self:know_self(function(err)
    if not err then
      self.changed("identity")
    end
  end)
end

function Model:_fetch_links()
  if self.session.rpc then
    self.session.rpc:call("daemon.health", {}, function(err, health)
      for _, link in ipairs(err and {} or health.links) do
        self.links[link.name] = link
      end
      self.changed("links")
    end)
  end
end

-- A conversation as it is now takes its old place, or the first one when something new was said in it.
function Model:_put_conversation(conversation)
  local place = 1
  for at, other in ipairs(self.conversations) do
    if other.contact == conversation.contact then
      table.remove(self.conversations, at)
      local same = other.last and conversation.last and other.last.id == conversation.last.id
      place = same and at or 1
      break
    end
  end
  table.insert(self.conversations, place, conversation)
end

function Model:_count()
  self.unread, self.requests = 0, 0
  for _, conversation in ipairs(self.conversations) do
    if conversation.state == "accepted" then
      self.unread = self.unread + (conversation.unread or 0)
    elseif conversation.state == "request" then
      self.requests = self.requests + 1
    end
  end
end

--- Take an event; only what changes names costs a fetch.
function Model:take(topic, body)
  if topic == "conversation" and body.conversation then
    self:_put_conversation(body.conversation)
    self:_count()
    self.changed("conversations")
  elseif topic == "contact" and body.contact then
    self:want("contacts")
  elseif topic == "identity" and body.identity then
    self.identity = body.identity
    self.changed("identity")
  elseif topic == "link" and body.link then
    self.links[body.link.name] = body.link
    self.changed("links")
  end
end

return Model
