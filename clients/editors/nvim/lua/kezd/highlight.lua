--- Highlight groups, linked to standard ones, so that every colour scheme, dark or light, fits.

local M = {}

local LINKS = {
  KezYou = "Identifier",
  KezThem = "Title",
  KezName = "Normal",
  KezTime = "Comment",
  KezDay = "Comment",
  KezHint = "Comment",
  KezCode = "String",
  KezUnread = "Todo",
  KezWaiting = "Comment",
  KezSent = "Comment",
  KezDelivered = "Comment",
  KezRead = "Function",
  KezFailed = "ErrorMsg",
  KezAlarm = "WarningMsg",
}

--- Define the groups that the person has not defined.
function M.define()
  for group, target in pairs(LINKS) do
    vim.cmd(("highlight default link %s %s"):format(group, target))
  end
end

return M
