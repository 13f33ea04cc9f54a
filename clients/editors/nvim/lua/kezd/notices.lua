--- Telling a person that something came: through vim.notify, gathered, never more than one line each.
--
-- Not here: whether a conversation is looked at (the caller knows). With `notify_text = false`
-- no word of a message is shown.

local errors = require("kezd.errors")
local text = require("kezd.text")

local GATHER_MS = 150

local Notices = {}
Notices.__index = Notices

--- @param config the settings; read each time
-- @param model kezd.model, for names
function Notices.new(config, model)
  return setmetatable({ config = config, model = model, order = {}, waiting = {} }, Notices)
end

--- Say a line at once, cut so that it never asks for Enter.
function Notices:say(line, level)
  local room = math.max(20, (vim.v.echospace or 80) - 2)
  vim.notify(text.one_line("kez: " .. line, room), level or vim.log.levels.INFO, { title = "kez" })
end

--- Say an error with its next step, uncut: a person asked for something.
function Notices:error(err)
  vim.notify("kez: " .. errors.format(err), vim.log.levels.ERROR, { title = "kez" })
end

--- A message came that a person should be told about.
function Notices:received(message)
  if not self.config.notify then
    return
  end
  local who = message.contact
  if not self.waiting[who] then
    self.waiting[who] = { count = 0 }
    self.order[#self.order + 1] = who
  end
  local waiting = self.waiting[who]
  waiting.count, waiting.last = waiting.count + 1, message
  if #self.order == 1 and waiting.count == 1 then
    vim.defer_fn(function()
      self:_flush()
    end, GATHER_MS)
  end
end

function Notices:_flush()
  local order, waiting = self.order, self.waiting
  self.order, self.waiting = {}, {}
  for _, who in ipairs(order) do
    local count, message = waiting[who].count, waiting[who].last
    local name = self.model:name(message.handle, message.contact)
    if count > 1 then
      self:say(string.format("%d new messages from %s", count, name))
    elseif self.config.notify_text and message.text then
      self:say(name .. ": " .. message.text)
    else
      self:say("new message from " .. name)
    end
  end
end

--- What else a person must know: a request, an alarm, a failure, another installation.
function Notices:event(topic, body)
  if not self.config.notify then
    return
  end
  if topic == "contact" and body.type == "request" then
    local name = self.model:name(body.contact.handle, body.contact.genesis)
    self:say(("%s wants to write to you: :KezOpen %s, then :KezAccept or :KezBlock"):format(name, name))
  elseif topic == "contact" and body.type == "alarm" then
    local name = self.model:name(body.contact.handle, body.contact.genesis)
    self:say(("ALARM, nothing is sent to %s: :KezOpen %s says why"):format(name, name), vim.log.levels.WARN)
  elseif topic == "identity" and body.type == "superseded" then
    self:say("another installation has taken over: kez status", vim.log.levels.ERROR)
  elseif topic == "message" and body.type == "state" and body.message.state == "failed" then
    local name = self.model:name(body.message.handle, body.message.contact)
    self:say(("not sent to %s: %s"):format(name, errors.cause(body.message.cause)), vim.log.levels.ERROR)
  end
end

return Notices
