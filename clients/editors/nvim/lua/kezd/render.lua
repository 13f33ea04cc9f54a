--- Messages as lines: what a conversation looks like. Pure but for names and widths.
--
-- A line is {text, marks = {{first byte, last byte, highlight group}…}, gutter = {text, group},
-- tail = {text, group}, position}. Invariant: foreign text is sanitised and indented by four
-- cells, so that it can pose neither as a name nor as a mark of ours.

local errors = require("kezd.errors")
local text = require("kezd.text")

local M = {}

local INDENT = "    "
local TOGETHER_MS = 5 * 60 * 1000
local GUTTERS = {
  queued = { "…", "KezWaiting" },
  accepted = { "✓", "KezSent" },
  delivered = { "✓✓", "KezDelivered" },
  read = { "✓✓", "KezRead" },
  failed = { "✗", "KezFailed" },
}

local function plain(line, group, position)
  return { text = line, marks = group and { { 0, #line, group } } or {}, position = position }
end

local function day(message)
  return os.date("%a %d %b %Y", math.floor(message.sent_at / 1000))
end

local function header(message, who)
  local mine = message.direction == "out"
  local time = os.date("%H:%M", math.floor(message.sent_at / 1000))
  local line = who .. "  " .. time
  local marks = { { 0, #who, mine and "KezYou" or "KezThem" }, { #who + 2, #line, "KezTime" } }
  local said = {}
  if message.future_dated then
    said[#said + 1] = "its date is in the future"
  end
  if message.older then
    said[#said + 1] = "from before this installation"
  end
  if #said > 0 then
    marks[#marks + 1] = { #line, #line + 4 + #table.concat(said, ", "), "KezHint" }
    line = line .. "  (" .. table.concat(said, ", ") .. ")"
  end
  return { text = line, marks = marks, position = message.position }
end

local function body(message, out)
  if not message.text then
    local why = message.needs_newer_version and "(needs a newer kezd to be read)"
      or "(" .. text.show(message.kind) .. ")"
    out[#out + 1] = plain(INDENT .. why, "KezHint", message.position)
    return
  end
  local fence
  for _, line in ipairs(vim.split(text.show(message.text, true), "\n", { plain = true })) do
    local ticks = line:match("^(```+)")
    local edge = ticks and (not fence or #ticks >= #fence)
    out[#out + 1] = plain(INDENT .. line, (edge or fence) and "KezCode" or nil, message.position)
    if edge then
      fence = not fence and ticks or nil
    end
  end
end

local function lines_of(message, previous, who)
  local out = {}
  if message.missing_before and message.missing_before > 0 then
    local line = ("%s· %d before this have not arrived yet ·"):format(INDENT, message.missing_before)
    out[1] = plain(line, "KezHint", message.position)
  end
  local gap = not previous or message.sent_at - previous.sent_at > TOGETHER_MS
  if gap or previous.direction ~= message.direction or message.future_dated or message.older then
    out[#out + 1] = header(message, who)
  end
  local first = #out + 1
  body(message, out)
  if message.direction == "out" then
    out[first].gutter = GUTTERS[message.state] or GUTTERS.queued
  end
  if message.cause and (message.state == "failed" or message.state == "queued") then
    local failed = message.state == "failed"
    local line = INDENT .. (failed and "not sent: " or "waits: ") .. errors.cause(message.cause)
    out[#out + 1] = plain(line, failed and "KezFailed" or "KezWaiting", message.position)
  end
  return out
end

local function separator(label)
  return plain("── " .. label .. " ──", "KezDay")
end

local function banners(view, out)
  local contact, name = view.contact, view.name
  if contact and contact.alarm then
    local alarm = contact.alarm
    out[#out + 1] = plain("", nil)
    local kind = text.show((alarm.kind:gsub("_", " ")))
    local stopped = "!! Nothing is sent to %s. Compare the safety words by voice, then decide in a shell:"
    local choice = "   kez contacts --trust %s   or   kez contacts --keep-old %s"
    out[#out + 1] = plain(("!! %s: %s"):format(kind, text.show(alarm.detail)), "KezAlarm")
    out[#out + 1] = plain(stopped:format(name), "KezAlarm")
    out[#out + 1] = plain(choice:format(name, name), "KezHint")
  elseif contact and contact.state == "request" then
    out[#out + 1] = plain("", nil)
    out[#out + 1] = plain(("?? %s is a stranger who wants to write to you."):format(name), "KezAlarm")
    out[#out + 1] = plain("   :KezAccept lets them (they get a receipt), :KezBlock drops what they send.", "KezHint")
  elseif contact and contact.state == "blocked" then
    out[#out + 1] = plain(("   You have blocked %s. :KezAccept lifts it."):format(name), "KezHint")
  end
end

--- All lines of a conversation.
-- @param view {messages, pending = texts not answered yet, name, contact, more, loading}
function M.lines(view)
  local out = {}
  local top = view.loading and "… fetching" or view.more and "▲ older messages: scroll up, or :KezOlder"
  if top then
    out[1] = plain(top, "KezHint")
  elseif #view.messages == 0 and #view.pending == 0 then
    out[1] = plain(("No messages with %s yet."):format(view.name), "KezHint")
  end
  local previous, today, last_read
  for _, message in ipairs(view.messages) do
    if day(message) ~= today then
      today, previous = day(message), nil
      out[#out + 1] = separator(today)
    end
    local who = message.direction == "out" and "you" or view.name
    local near = previous and previous.id .. previous.direction or ""
    if message.drawn_after ~= near .. view.name then
      message.drawn, message.drawn_after = lines_of(message, previous, who), near .. view.name
    end
    vim.list_extend(out, message.drawn)
    if message.direction == "out" and message.state == "read" then
      last_read = #out
    end
    previous = message
  end
  if last_read then
    local line = vim.tbl_extend("force", out[last_read], { tail = { "· read", "KezRead" } })
    out[last_read] = line
  end
  for _, waiting in ipairs(view.pending) do
    local first = #out + 1
    body({ text = waiting.text, position = nil }, out)
    out[first].gutter = GUTTERS.queued
  end
  banners(view, out)
  return out
end

return M
