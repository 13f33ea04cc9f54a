--- Foreign text made harmless: the one place through which everything from outside is shown.
--
-- Not a formatter. Invariant: what comes out holds no control character, no escape, nothing that
-- reorders or hides text, and is valid UTF-8; with `lines`, line feeds and tabs stay.

local M = {}

-- Unicode categories Cc, Cf, Cs, Co, Zl, Zp and noncharacters: first and last of each run.
local HIDDEN = {
  { 0x00, 0x1F }, { 0x7F, 0x9F }, { 0xAD, 0xAD }, { 0x600, 0x605 }, { 0x61C, 0x61C }, { 0x6DD, 0x6DD },
  { 0x70F, 0x70F }, { 0x890, 0x891 }, { 0x8E2, 0x8E2 }, { 0x115F, 0x1160 }, { 0x180E, 0x180E },
  { 0x200B, 0x200C }, { 0x200E, 0x200F }, { 0x2028, 0x202E }, { 0x2060, 0x206F }, { 0x3164, 0x3164 },
  { 0xD800, 0xF8FF }, { 0xFDD0, 0xFDEF }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFB },
  { 0xFFFE, 0xFFFF }, { 0x110BD, 0x110BD }, { 0x110CD, 0x110CD }, { 0x13430, 0x1345F },
  { 0x1BCA0, 0x1BCA3 }, { 0x1D173, 0x1D17A }, { 0xE0000, 0x10FFFF },
}

local function hidden(code)
  for _, run in ipairs(HIDDEN) do
    if code < run[1] then
      return false
    end
    if code <= run[2] then
      return true
    end
  end
  return false
end

local function escaped(code)
  return string.format("\\u{%x}", code)
end

--- Length and code point of the UTF-8 character at `at`; nil when these bytes are none (RFC 3629).
local function character(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  local function follows(byte)
    return byte and byte >= 0x80 and byte < 0xC0
  end
  if a < 0x80 then
    return 1, a
  elseif a >= 0xC2 and a < 0xE0 and follows(b) then
    return 2, (a - 0xC0) * 0x40 + b - 0x80
  elseif a >= 0xE0 and a < 0xF0 and follows(b) and follows(c) then
    local code = (a - 0xE0) * 0x1000 + (b - 0x80) * 0x40 + c - 0x80
    if code >= 0x800 and (code < 0xD800 or code > 0xDFFF) then
      return 3, code
    end
  elseif a >= 0xF0 and a < 0xF5 and follows(b) and follows(c) and follows(d) then
    local code = (a - 0xF0) * 0x40000 + (b - 0x80) * 0x1000 + (c - 0x80) * 0x40 + d - 0x80
    if code >= 0x10000 and code <= 0x10FFFF then
      return 4, code
    end
  end
  return nil
end

--- Whether `text` is UTF-8 without zero bytes: what can be sent.
function M.is_text(text)
  local at = 1
  while at <= #text do
    local size, code = character(text, at)
    if not size or code == 0 then
      return false
    end
    at = at + size
  end
  return true
end

--- Foreign text with everything hidden written as `\u{…}`.
-- @param value anything; nil is the empty text
-- @param lines keep line feeds and tabs (the caller splits and indents)
function M.show(value, lines)
  local text = value == nil and "" or tostring(value)
  if lines then
    text = text:gsub("\r\n", "\n")
  end
  if not text:find("[%c\127-\255]") then
    return text
  end
  local out, at = {}, 1
  while at <= #text do
    local size, code = character(text, at)
    if not size then
      out[#out + 1] = escaped(text:byte(at))
      size = 1
    elseif lines and (code == 10 or code == 9) or not hidden(code) then
      out[#out + 1] = text:sub(at, at + size - 1)
    elseif code == 10 then
      out[#out + 1] = "\\n"
    else
      out[#out + 1] = escaped(code)
    end
    at = at + size
  end
  return table.concat(out)
end

--- One harmless line of at most `width` cells.
function M.one_line(value, width)
  local text = tostring(value or ""):sub(1, 4 * width + 64):gsub("%s+", " ")
  text = M.show(text)
  if vim.fn.strdisplaywidth(text) <= width then
    return text
  end
  local kept = vim.fn.strcharpart(text, 0, width - 1)
  while vim.fn.strdisplaywidth(kept) > width - 1 do
    kept = vim.fn.strcharpart(kept, 0, vim.fn.strchars(kept) - 1)
  end
  return kept .. "…"
end

--- `text` filled up with spaces to `width` cells.
function M.pad(text, width)
  return text .. string.rep(" ", width - vim.fn.strdisplaywidth(text))
end

return M
