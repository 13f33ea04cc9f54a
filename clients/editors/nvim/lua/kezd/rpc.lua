--- One connection to kezd: JSON-RPC 2.0, one object a line, on a Unix socket.
--
-- Not here: reconnecting, events' meaning. Nothing blocks. Callbacks run in the main loop
-- (`vim.schedule`), each call's exactly once, in the order of the answers. Invariant: while
-- Neovim is busy no more than READ_AHEAD bytes are held; kezd is made to wait, not memory.

local Framing = require("kezd.framing")
local errors = require("kezd.errors")

local uv = vim.uv or vim.loop

local LINE_BYTES = 64 * 1024 * 1024
local READ_AHEAD = 8 * 1024 * 1024
local TIMEOUT_MS = 30000

local Rpc = {}
Rpc.__index = Rpc

--- Connect.
-- @param path of the socket
-- @param on {opened = function(), notification = function(method, params), closed = function(err)};
--   `closed` comes once, also when connecting fails
function Rpc.open(path, on)
  local self = setmetatable({
    path = path,
    on = on,
    pipe = uv.new_pipe(false),
    framing = Framing.new(LINE_BYTES),
    last_id = 0,
    calls = {},
    arrived = {},
    held = 0,
  }, Rpc)
  self.pipe:connect(path, function(err)
    if err then
      self:_lost(errors.not_running(path, err:match("^%u+")))
      return
    end
    self:_read()
    vim.schedule(function()
      if not self.gone then
        on.opened()
      end
    end)
  end)
  return self
end

function Rpc:_read()
  self.reading = true
  self.pipe:read_start(function(err, chunk)
    if err or not chunk then
      self:_lost(errors.new("not_running", "kezd closed the connection", "kez doctor"))
      return
    end
    local lines = self.framing:feed(chunk)
    if not lines then
      self:_lost(errors.new("too_large", "kezd sent a line of more than 64 MiB"))
      return
    end
    self.held = self.held + #chunk
    if self.held > READ_AHEAD then
      self.reading = false
      self.pipe:read_stop()
    end
    if #lines > 0 then
      self:_deliver_later(lines)
    elseif not self.reading then -- a long line: there is nothing to deliver that would go on reading
      self:_read_on()
    end
  end)
end

function Rpc:_read_on()
  self.held = 0
  if not self.reading and not self.gone then
    self:_read()
  end
end

function Rpc:_deliver_later(lines)
  local idle = #self.arrived == 0
  for _, line in ipairs(lines) do
    self.arrived[#self.arrived + 1] = line
  end
  if idle then
    vim.schedule(function()
      self:_deliver()
    end)
  end
end

function Rpc:_deliver()
  local lines = self.arrived
  self.arrived = {}
  for _, line in ipairs(lines) do
    local ok, message = pcall(vim.json.decode, line, { luanil = { object = true, array = true } })
    if not ok or type(message) ~= "table" then
      self:_said(errors.new("internal", "what answers at " .. self.path .. " is not kezd", "see :KezHealth"))
      break
    end
    self:_take(message)
  end
  if not self.gone then
    self:_read_on()
  end
  self.on.delivered()
end

function Rpc:_take(message)
  if message.method then
    if not self.gone then
      self.on.notification(message.method, type(message.params) == "table" and message.params or {})
    end
    return
  end
  local call = self.calls[message.id]
  if call then
    self.calls[message.id] = nil
    call(message.error and errors.from_wire(message.error) or nil, message.result)
  elseif message.id == nil and message.error then -- refused before any call, such as too many connections
    self:_said(errors.from_wire(message.error))
  end
end

--- Call a method.
-- @param done function(err, result)
-- @param timeout_ms what an answer may take; 0 is any time
function Rpc:call(method, params, done, timeout_ms)
  if self.gone then
    vim.schedule(function()
      done(self.gone)
    end)
    return
  end
  self.last_id = self.last_id + 1
  local id, timer = self.last_id, nil
  local function answered(err, result)
    if timer then
      timer:stop()
      timer:close()
    end
    done(err, result)
  end
  self.calls[id] = answered
  if timeout_ms ~= 0 then
    timer = uv.new_timer()
    timer:start(timeout_ms or TIMEOUT_MS, 0, function()
      vim.schedule(function()
        if self.calls[id] then
          self.calls[id] = nil
          answered(errors.new("offline", "kezd did not answer in time", "kez doctor"))
        end
      end)
    end)
  end
  if next(params) == nil then
    params = vim.empty_dict()
  end
  local line = vim.json.encode({ jsonrpc = "2.0", id = id, method = method, params = params })
  self.pipe:write(line .. "\n", function(err)
    if err then
      self:_lost(errors.new("not_running", "kezd closed the connection", "kez doctor"))
    end
  end)
end

--- End the connection; `closed` is not called.
function Rpc:close()
  self.on.closed = function() end
  self:_lost(errors.new("cancelled", "the connection was closed"))
end

-- The other side said why it ends this: that explains more than its hanging up, which may be known already.
function Rpc:_said(err)
  if self.gone then
    self.gone = err
  else
    self:_lost(err)
  end
end

function Rpc:_lost(err)
  if self.gone then
    return
  end
  self.gone = err
  if not self.pipe:is_closing() then
    self.pipe:close()
  end
  vim.schedule(function()
    if #self.arrived > 0 then -- what was said before hanging up comes first
      self:_deliver()
    end
    local calls = self.calls
    self.calls = {}
    for _, call in pairs(calls) do
      call(self.gone)
    end
    self.on.closed(self.gone)
  end)
end

return Rpc
