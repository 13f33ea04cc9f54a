--- Errors as tables {slug, message, hint, …}, from the wire and our own, and how they are said.

local text = require("kezd.text")

local M = {}

--- @param slug stable name, as in kezd's own table
function M.new(slug, message, hint)
  return { slug = slug, message = message, hint = hint or "" }
end

--- The error of a JSON-RPC answer, however odd it is.
function M.from_wire(object)
  object = type(object) == "table" and object or {}
  local data = type(object.data) == "table" and object.data or {}
  return {
    slug = tostring(data.slug or "internal"),
    message = tostring(object.message or "kezd refused"),
    hint = tostring(data.hint or ""),
    retry_after_ms = tonumber(data.retry_after_ms),
    incident = data.incident,
  }
end

--- Nobody answers at `path`. `cause` is libuv's name of the error, such as ENOENT.
function M.not_running(path, cause)
  if cause == "EACCES" or cause == "EPERM" then
    return M.new("forbidden", path .. " is another user's", "start Neovim as the person whose kezd it is")
  end
  return M.new("not_running", "kezd is not running", "systemctl --user start kezd, or run: kezd")
end

--- What a person reads: the cause, then the next step.
function M.format(err)
  local said = text.show(err.message)
  if err.incident then
    said = said .. " (incident " .. text.show(err.incident) .. ")"
  end
  return err.hint ~= "" and said .. " → " .. text.show(err.hint) or said
end

-- Why a message failed or still waits, by the slug in its `cause`.
local CAUSES = {
  expired = "nobody fetched it in time; send it again",
  duplicate_id = "the server knows its id as somebody else's; send it again",
  inbox_full = "their inbox is full; it empties when they come back",
  home_full = "the home server's storage is full",
  quota = "too many of your messages wait undelivered",
  foreign_home = "their home server takes no messages from other homes",
  too_large = "too large",
  key_changed = "their key has changed: compare safety words, then kez contacts --trust HANDLE",
  chain_fork = "their sigchain has two heads: kez contacts HANDLE",
  chain_rollback = "their sigchain is shorter than before: kez contacts HANDLE",
  chain_invalid = "their sigchain does not verify: kez contacts HANDLE",
  not_a_contact = "they are no contact any more: :KezAdd HANDLE",
  no_common_version = "they read no message version that we write: one of you has to upgrade kezd",
  no_route = "they cannot be written to now: kez contacts HANDLE",
  request_pending = "their request waits for your answer: :KezAccept HANDLE",
  blocked = "you have blocked them",
}

--- A cause in words.
function M.cause(slug)
  return CAUSES[slug] or text.show((tostring(slug):gsub("_", " ")))
end

return M
