--- Where the daemon of this environment has its socket: the same rules as kezd and kez.

local M = {}

local function absolute(path)
  return path ~= nil and path:sub(1, 1) == "/"
end

--- The socket's path.
-- @param environ a function from a variable's name to its value or nil
function M.socket(environ)
  local home = environ("KEZD_HOME")
  if home and home ~= "" then
    home = home:gsub("^~", environ("HOME") or "~")
    return vim.fn.fnamemodify(home, ":p"):gsub("/$", "") .. "/run/kezd.sock"
  end
  local runtime = environ("XDG_RUNTIME_DIR")
  if absolute(runtime) then
    return runtime .. "/kezd/kezd.sock"
  end
  local state = environ("XDG_STATE_HOME")
  if not absolute(state) then
    state = (environ("HOME") or vim.fn.expand("~")) .. "/.local/state"
  end
  return state .. "/kezd/run/kezd.sock"
end

return M
