--- kezd.nvim: messages of kezd in Neovim. What a person's own configuration may call.
--
-- `setup` is optional: everything works with its defaults, and the connection is made at the
-- first use. The only state of the plug-in is the one App held here.

local M = {}

M.version = "0.1.0"

local DEFAULTS = {
  socket = nil, -- path; by default where KEZD_HOME or XDG_RUNTIME_DIR say
  profile = "default",
  notify = true, -- tell of what comes, through vim.notify
  notify_text = true, -- false: no word of a message in notifications and in the list
  send_key = "<C-s>", -- in the area to write in
  open_command = "tab split", -- makes the window for :Kez and :KezOpen
  connect = true, -- at setup(); false: at the first use
}

local state = { config = vim.deepcopy(DEFAULTS), app = nil }

--- The running plug-in, made now if need be.
function M.app()
  if not state.app then
    require("kezd.highlight").define()
    state.app = require("kezd.app").new(state.config, M.version)
    state.app.session:start()
  end
  return state.app
end

--- Choose settings; see `:help kezd-setup`.
-- @raise when a setting is unknown or has another type
function M.setup(options)
  for name, value in pairs(options or {}) do
    local known = DEFAULTS[name] ~= nil or name == "socket"
    if not known then
      error("kezd: there is no setting `" .. tostring(name) .. "`: see :help kezd-setup", 2)
    end
    if type(value) ~= type(name == "socket" and "" or DEFAULTS[name]) then
      error("kezd: the setting `" .. name .. "` has a wrong type: see :help kezd-setup", 2)
    end
    state.config[name] = value
  end
  if state.config.connect and not state.app then
    vim.schedule(M.app)
  end
end

--- Messages not seen yet.
function M.unread()
  return M.app().model.unread
end

--- For a status line: empty when all is quiet, else `kez 3`, `kez 3?` (strangers ask), `kez!`
--- (an alarm), `kez off`.
function M.statusline()
  if not state.app then
    vim.schedule(M.app)
    return ""
  end
  local session, model = state.app.session, state.app.model
  if session.state == "waiting" or session.err and session.state ~= "ready" then
    return "kez off"
  end
  local count = model.unread > 0 and " " .. model.unread or ""
  local marks = (model.requests > 0 and "?" or "") .. (model.alarms > 0 and "!" or "")
  return (count ~= "" or marks ~= "") and "kez" .. count .. marks or ""
end

--- The status line of a conversation's own window.
function M.title(buffer)
  return state.app and state.app:title(buffer) or ""
end

return M
