--- `:checkhealth kezd`: the editor, the socket, the daemon and its own findings, each with a fix.

local errors = require("kezd.errors")
local text = require("kezd.text")

local M = {}

local PATIENCE_MS = 15000

local health = vim.health or require("health")
local start = health.start or health.report_start
local ok = health.ok or health.report_ok
local warn = health.warn or health.report_warn
local bad = health.error or health.report_error

--- Call a method and wait: the person is looking at a report that is being made.
local function ask(session, method)
  local answer
  session:call(method, {}, function(err, result)
    answer = { err, result }
  end)
  vim.wait(PATIENCE_MS, function()
    return answer ~= nil
  end, 10)
  if not answer then
    return errors.new("offline", "kezd did not answer in time", "kez doctor")
  end
  return answer[1], answer[2]
end

local function report_error(err)
  bad(text.show(err.message), err.hint ~= "" and { text.show(err.hint) } or nil)
end

--- Called by `:checkhealth kezd`.
function M.check()
  start("kezd.nvim")
  if vim.fn.has("nvim-0.7") == 1 then
    local version = vim.version()
    ok(("Neovim %d.%d.%d"):format(version.major, version.minor, version.patch))
  else
    bad("Neovim is older than 0.7", { "upgrade Neovim" })
    return
  end
  local app = require("kezd").app()
  local socket = app.session.options.path()
  ok("the socket is looked for at " .. text.show(socket))

  start("kezd")
  local err, version = ask(app.session, "daemon.version")
  if err then
    report_error(err)
    return
  end
  ok(("kezd %s, API %d, profile %s"):format(text.show(version.version), version.api, app.config.profile))
  local failed, report = ask(app.session, "daemon.doctor")
  if failed then
    report_error(failed)
    return
  end
  for _, check in ipairs(report.checks) do
    local line = text.show(check.name) .. ": " .. text.show(check.found)
    if check.ok then
      ok(line)
    else
      warn(line, check.fix and check.fix ~= "" and { text.show(check.fix) } or nil)
    end
  end
end

return M
