--- Lines and files as messages: a fenced block under its name and line numbers.
--
-- Not file transfer: what does not fit into one message is refused with what to do. Invariant:
-- no path above the working directory leaves this machine, and the fence is longer than any in
-- the text.

local errors = require("kezd.errors")
local text = require("kezd.text")

local M = {}

M.LIMIT = 32 * 1024

local function kib(bytes)
  return ("%.1f KiB"):format(bytes / 1024)
end

--- Whether kezd would take this text as one message; if not, the error.
function M.check(message)
  if #message > M.LIMIT then
    return false,
      errors.new("too_large", ("a message has at most 32 KiB, this has %s"):format(kib(#message)),
        "send less of it, or put it where they can fetch it and send the link")
  elseif not text.is_text(message) then
    return false, errors.new("invalid_argument", "this is not UTF-8 text", "only text can be shared as a message")
  end
  return true
end

--- How a file is named to others: relative to the working directory, or its last part alone.
function M.name(path)
  if path == "" then
    return "[no name]"
  end
  local relative = vim.fn.fnamemodify(path, ":p:.")
  return relative:sub(1, 1) == "/" and vim.fn.fnamemodify(path, ":t") or relative
end

--- The message for these lines.
-- @param from first line's number, nil when it is the whole file
function M.block(name, filetype, lines, from)
  local content = table.concat(lines, "\n")
  local longest = 2
  for ticks in content:gmatch("`+") do
    longest = math.max(longest, #ticks)
  end
  local fence = string.rep("`", longest + 1)
  local where = name
  if from and #lines == 1 then
    where = ("%s:%d"):format(name, from)
  elseif from then
    where = ("%s:%d-%d"):format(name, from, from + #lines - 1)
  end
  return table.concat({ where, fence .. filetype:gsub("[^%w_+.#-]", ""), content, fence }, "\n")
end

--- The message for lines of a buffer, or nil and the error.
function M.range(buffer, first, last)
  local lines = vim.api.nvim_buf_get_lines(buffer, first - 1, last, false)
  for at, line in ipairs(lines) do
    lines[at] = line:gsub("\n", "\0") -- how Neovim shows a zero byte; found and refused below
  end
  local name = M.name(vim.api.nvim_buf_get_name(buffer))
  local message = M.block(name, vim.bo[buffer].filetype, lines, first)
  local fits, why = M.check(message)
  if not fits then
    return nil, why
  end
  return message, nil, #lines
end

--- The message for a file as it is on disk, or nil and the error.
function M.file(path, filetype)
  local stat = (vim.uv or vim.loop).fs_stat(path)
  if not stat or stat.type ~= "file" then
    return nil, errors.new("not_found", text.show(path) .. " is not a file", "write it first, or name another one")
  elseif stat.size > M.LIMIT then
    return nil,
      errors.new("too_large",
        ("%s has %s, and a message at most 32 KiB; files are not transferred yet"):format(M.name(path), kib(stat.size)),
        "share the lines that matter with :'<,'>KezShare")
  end
  local file, why = io.open(path, "rb")
  local content = file and file:read("*a")
  if file then
    file:close()
  end
  if not content then
    return nil, errors.new("not_found", "cannot read " .. text.show(why or path))
  end
  local lines = vim.split((content:gsub("\n$", "")), "\n", { plain = true })
  local message = M.block(M.name(path), filetype or "", lines)
  local fits, refusal = M.check(message)
  if not fits then
    return nil, refusal
  end
  return message, nil, #lines
end

return M
