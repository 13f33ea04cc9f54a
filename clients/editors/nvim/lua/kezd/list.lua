--- All conversations in a buffer: who, how much is new, when, and what to do about strangers and alarms.

local Screen = require("kezd.screen")
local layout = require("kezd.layout")
local text = require("kezd.text")

local NAME_CELLS = 24
local PREVIEW_CELLS = 200
local WINDOW = "setlocal nowrap nolist nonumber norelativenumber nospell foldcolumn=0 signcolumn=no cursorline"
  .. " fillchars=eob:\\ "
local HELP = "  <CR> open   A accept   B block   R look again   q close"

local List = {}
List.__index = List

--- @param app kezd.app
function List.new(app)
  local self = setmetatable({ app = app, rows = {} }, List)
  self.buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(self.buffer, "kez://conversations")
  vim.bo[self.buffer].bufhidden = "hide"
  vim.bo[self.buffer].swapfile = false
  vim.bo[self.buffer].modeline = false
  vim.bo[self.buffer].modifiable = false
  vim.bo[self.buffer].undolevels = -1
  vim.bo[self.buffer].filetype = "kezlist"
  self.screen = Screen.new(self.buffer)
  layout.on_edit(self.buffer, function()
    self.screen = Screen.new(self.buffer)
    self:draw()
  end)
  local actions = {
    ["<CR>"] = function(contact)
      app:open(contact.genesis, nil, true)
    end,
    A = function(contact)
      app:decide("contacts.accept", contact.genesis)
    end,
    B = function(contact)
      app:decide("contacts.block", contact.genesis)
    end,
  }
  for keys, action in pairs(actions) do
    vim.keymap.set("n", keys, function()
      local contact = self.rows[vim.api.nvim_win_get_cursor(0)[1]]
      if contact then
        action(contact)
      end
    end, { buffer = self.buffer, nowait = true })
  end
  vim.keymap.set("n", "R", function()
    app:refresh()
  end, { buffer = self.buffer, nowait = true })
  vim.keymap.set("n", "q", function()
    if not pcall(vim.cmd, "close") then
      vim.cmd("enew")
    end
  end, { buffer = self.buffer, nowait = true })
  return self
end

local function when(message)
  local seconds = math.floor(message.arrived_at / 1000)
  if os.date("%Y%j", seconds) == os.date("%Y%j") then
    return os.date("%H:%M", seconds)
  end
  return os.date("%d %b", seconds)
end

local function preview(app, conversation, contact)
  if contact.alarm then
    return "!! nothing is sent: open it to see why", "KezAlarm"
  elseif contact.state == "request" then
    return "?? a stranger: A accept, B block", "KezAlarm"
  elseif contact.state == "blocked" then
    return "blocked", "KezHint"
  elseif not conversation or not conversation.last then
    return "no messages yet", "KezHint"
  end
  local last = conversation.last
  local said = last.text or (last.needs_newer_version and "(needs a newer kezd)") or ("(" .. last.kind .. ")")
  if last.state == "failed" then
    said = "not sent: " .. said
  end
  if app.config.notify_text == false then
    said = ""
  end
  return text.one_line((last.direction == "out" and "you: " or "") .. said, PREVIEW_CELLS), nil
end

function List:_row(conversation, contact, width)
  local name = text.one_line(self.app.model:name(contact.handle, contact.genesis), NAME_CELLS)
  local unread = conversation and conversation.unread or 0
  local count = unread > 999 and "999+" or unread > 0 and tostring(unread) or ""
  local time = conversation and conversation.last and when(conversation.last) or ""
  local said, group = preview(self.app, conversation, contact)
  local line = text.pad(name, width) .. "  " .. text.pad(count, 4)
  local marks = { { 0, #name, unread > 0 and "KezThem" or "KezName" }, { #line - 4, #line - 4 + #count, "KezUnread" } }
  local start = #line
  line = line .. " " .. text.pad(time, 6) .. "  "
  marks[#marks + 1] = { start, #line, "KezTime" }
  if group then
    marks[#marks + 1] = { #line, #line + #said, group }
  end
  return { text = line .. said, marks = marks }
end

--- People in the order of the list: {contact, conversation}; who was never written to comes last.
function List:_people()
  local model, people, shown = self.app.model, {}, {}
  for _, conversation in ipairs(model.conversations) do
    local contact = model.by_genesis[conversation.contact]
      or { genesis = conversation.contact, handle = conversation.handle, state = conversation.state }
    people[#people + 1] = { contact, conversation }
    shown[conversation.contact] = true
  end
  for _, contact in ipairs(model.contacts) do
    if not shown[contact.genesis] then
      people[#people + 1] = { contact }
    end
  end
  return people
end

--- Show what the model knows now.
function List:draw()
  local lines = { self.app:headline(), { text = "", marks = {} } }
  self.rows = {}
  local people, width = self:_people(), 8
  for _, person in ipairs(people) do
    local name = self.app.model:name(person[1].handle, person[1].genesis)
    width = math.max(width, math.min(NAME_CELLS, vim.fn.strdisplaywidth(name)))
  end
  for _, person in ipairs(people) do
    lines[#lines + 1] = self:_row(person[2], person[1], width)
    self.rows[#lines] = person[1]
  end
  if #people == 0 and self.app.model.listed then
    lines[#lines + 1] = { text = "No conversations yet → :KezAdd HANDLE, then :KezOpen HANDLE", marks = {} }
  end
  lines[#lines + 1] = { text = "", marks = {} }
  lines[#lines + 1] = { text = HELP, marks = { { 0, #HELP, "KezHint" } } }
  self.screen:show(lines, false)
end

--- Show the list in the current window.
function List:open()
  vim.api.nvim_win_set_buf(0, self.buffer)
  vim.cmd(WINDOW)
  self:draw()
  for row in ipairs(self.screen.lines) do
    if self.rows[row] then
      vim.api.nvim_win_set_cursor(0, { row, 0 })
      break
    end
  end
end

return List
