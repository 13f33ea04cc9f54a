--- A connection that comes back: initialise, subscribe, resume; back-off while kezd is away.
--
-- Not here: what events mean. Invariants: each durable event is handed on once, in order, over
-- all connections; a mutation is either refused to its caller or sent again after a reconnect
-- under the same idempotency key, so that it happens once. Nothing is polled: a timer runs
-- only between two attempts to connect, and none while the profile is locked: kezd says when it is open.

local Rpc = require("kezd.rpc")
local errors = require("kezd.errors")

local uv = vim.uv or vim.loop

local API = { min = 1, max = 1 }
local TOPICS = { "message", "conversation", "contact", "identity", "link" }
local FIRST_WAIT_MS = 200
local LONGEST_WAIT_MS = 30000
local KEY_LIFE_S = 23 * 3600 -- kezd remembers a key for 24 h

local Session = {}
Session.__index = Session

--- @param options {path = function() → socket, profile, version,
--   event = function(topic, body), settled = function() after each batch of events,
--   ready = function(fresh) when connected; `fresh`: events may have been missed, list everything,
--   state = function(state, err)}; states: off, connecting, ready, waiting
function Session.new(options)
  return setmetatable({
    options = options,
    state = "off",
    waiters = {},
    outgoing = {},
    wait_ms = FIRST_WAIT_MS,
    attempts = 0,
  }, Session)
end

--- Begin to connect, and stay connected from now on.
function Session:start()
  if self.state == "off" then
    self:_connect()
  end
end

--- Hang up for good.
function Session:stop()
  self:_set("off")
  self:_stop_timer()
  if self.rpc then
    self.rpc:close()
    self.rpc = nil
  end
  self:_release(errors.new("cancelled", "stopped"))
end

--- `done(err)` once connected, or once the attempt of now has failed.
function Session:when_ready(done)
  if self.state == "ready" then
    done(nil)
    return
  elseif self.state == "waiting" and self.rpc then -- connected, to a profile that is not open
    done(self.err)
    return
  end
  self.waiters[#self.waiters + 1] = done
  if self.state ~= "connecting" then
    self:_stop_timer()
    self:_connect()
  end
end

--- Call a method that changes nothing, or that may run twice.
function Session:call(method, params, done)
  self:when_ready(function(err)
    if err then
      done(err)
    else
      self.rpc:call(method, params, done)
    end
  end)
end

--- Call a method that must run once, whatever happens to the connection.
-- @param done function(err, result); with an error nothing has happened
function Session:send(method, params, done)
  params.idempotency_key = uv.random(16):gsub(".", function(byte)
    return string.format("%02x", byte:byte())
  end)
  local call = { method = method, params = params, done = done, since = uv.hrtime() }
  self:when_ready(function(err)
    if err then
      done(err)
      return
    end
    self.outgoing[#self.outgoing + 1] = call
    self:_transmit(call)
  end)
end

function Session:_transmit(call)
  if (uv.hrtime() - call.since) / 1e9 > KEY_LIFE_S then
    self:_forget(call)
    call.done(
      errors.new("offline", "kezd was away for a day; this may have been sent or not", "look before sending again")
    )
    return
  end
  self.rpc:call(call.method, call.params, function(err, result)
    if err and (err.slug == "not_running" or err.slug == "stopping" or err.slug == "cancelled") then
      return -- nobody knows whether it was done: again, under the same key, when kezd is back
    end
    self:_forget(call)
    call.done(err, result)
  end, 0)
end

function Session:_forget(call)
  for at, other in ipairs(self.outgoing) do
    if other == call then
      table.remove(self.outgoing, at)
      return
    end
  end
end

function Session:_set(state, err)
  self.state, self.err = state, err
  self.options.state(state, err)
end

function Session:_release(err)
  local waiters = self.waiters
  self.waiters = {}
  for _, done in ipairs(waiters) do
    done(err)
  end
end

function Session:_connect()
  self:_set("connecting", self.err)
  self.attempts = self.attempts + 1
  local rpc
  rpc = Rpc.open(self.options.path(), {
    opened = function()
      self:_initialize(rpc)
    end,
    notification = function(method, params)
      self:_notified(method, params)
    end,
    delivered = self.options.settled,
    closed = function(err)
      self:_failed(rpc, err)
    end,
  })
  self.rpc = rpc
end

function Session:_failed(rpc, err)
  if rpc ~= self.rpc then
    return
  end
  rpc:close()
  self.rpc, self.subscription = nil, nil
  self:_set("waiting", err)
  self.timer = uv.new_timer()
  local jitter = 0.75 + uv.random(1):byte() / 512
  self.timer:start(math.floor(self.wait_ms * jitter), 0, function()
    vim.schedule(function()
      if self.state == "waiting" then
        self:_stop_timer()
        self:_connect()
      end
    end)
  end)
  self.wait_ms = math.min(self.wait_ms * 2, LONGEST_WAIT_MS)
  self:_release(err)
end

function Session:_stop_timer()
  if self.timer then
    self.timer:stop()
    self.timer:close()
    self.timer = nil
  end
end

function Session:_initialize(rpc)
  local client = { name = "kezd.nvim", version = self.options.version }
  local params = { client = client, api = API, profile = self.options.profile }
  rpc:call("session.initialize", params, function(err, result)
    if err then
      self:_failed(rpc, err)
    else
      self.server = result
      self:_stands(rpc, result.state)
    end
  end)
end

-- What a profile in that state lets us do: everything, or wait for `session.changed` on this connection.
function Session:_stands(rpc, state)
  if state == "open" then
    self:_subscribe(rpc, self.place, function(fresh)
      self:_ready(fresh)
    end)
    return
  end
  self.subscription = nil
  local err = errors.new("locked", "the vault is locked", "kez unlock")
  if state == "empty" then
    err = errors.new("no_identity", "no identity on this machine", "kez register HANDLE, or kez restore")
  end
  self.wait_ms = FIRST_WAIT_MS
  self:_set("waiting", err)
  self:_release(err)
end

function Session:_changed(state)
  if state == "removed" then
    self:_failed(self.rpc, errors.new("unknown_profile", "this profile was removed", "kez profile list"))
  elseif not (state == "open" and self.state == "ready") then
    self:_stands(self.rpc, state)
  end
end

--- Listen from `since` on; `done(fresh)`, fresh when events may have been missed.
function Session:_subscribe(rpc, since, done)
  rpc:call("events.subscribe", { topics = TOPICS, since = since }, function(err, result)
    if err and err.slug == "cannot_replay" and since then
      self:_subscribe(rpc, nil, done)
    elseif err then
      self:_failed(rpc, err)
    else
      self.subscription = result.subscription
      if not since then
        self.place = { epoch = result.epoch, seq = result.seq }
      end
      done(since == nil)
    end
  end)
end

function Session:_ready(fresh)
  self.wait_ms = FIRST_WAIT_MS
  self:_set("ready")
  for _, call in ipairs(vim.list_slice(self.outgoing, 1, #self.outgoing)) do
    self:_transmit(call)
  end
  self.options.ready(fresh)
  self:_release(nil)
end

function Session:_notified(method, params)
  if method == "session.changed" then
    self:_changed(params.state)
    return
  end
  if params.subscription ~= self.subscription or not self.subscription then
    return
  end
  if method == "events.lagged" then
    self.subscription = nil
    self:_subscribe(self.rpc, { epoch = params.epoch, seq = params.last_seq }, function(fresh)
      if fresh then
        self.options.ready(true)
      end
    end)
  elseif method == "event" then
    local seq = params.seq or 0
    if seq > 0 then
      if params.epoch == self.place.epoch and seq <= self.place.seq then
        return
      end
      self.place = { epoch = params.epoch, seq = seq }
    end
    self.options.event(params.topic, type(params.event) == "table" and params.event or {})
  end
end

return Session
