--- A buffer that shows lines of records: changes only what differs, and keeps each window's view.
--
-- Knows nothing of messages. Invariant: who stood at the end stays at the end, who read further
-- up keeps seeing the same lines, whatever is added above or below.

local Screen = {}
Screen.__index = Screen

local namespace = vim.api.nvim_create_namespace("kezd")

--- @param buffer number of a buffer that is ours
function Screen.new(buffer)
  return setmetatable({ buffer = buffer, lines = {} }, Screen)
end

local function same(a, b)
  if a == b then
    return true
  end
  return a.text == b.text and vim.deep_equal(a.marks, b.marks) and vim.deep_equal(a.gutter, b.gutter)
    and vim.deep_equal(a.tail, b.tail)
end

--- How many lines at the beginning, and at the end behind those, are the same.
local function unchanged(old, new)
  local head, most = 0, math.min(#old, #new)
  while head < most and same(old[head + 1], new[head + 1]) do
    head = head + 1
  end
  local tail = 0
  while tail < most - head and same(old[#old - tail], new[#new - tail]) do
    tail = tail + 1
  end
  return head, tail
end

local function mark(buffer, row, line)
  for _, span in ipairs(line.marks) do
    vim.api.nvim_buf_set_extmark(buffer, namespace, row, math.min(span[1], #line.text), {
      end_col = math.min(span[2], #line.text),
      hl_group = span[3],
    })
  end
  if line.gutter then
    vim.api.nvim_buf_set_extmark(buffer, namespace, row, 1, {
      virt_text = { line.gutter },
      virt_text_pos = "overlay",
    })
  end
  if line.tail then
    vim.api.nvim_buf_set_extmark(buffer, namespace, row, 0, { virt_text = { line.tail } })
  end
end

--- Windows that show the buffer, with their views: {window, view, at_end}.
function Screen:_views()
  local views = {}
  for _, window in ipairs(vim.fn.win_findbuf(self.buffer)) do
    vim.api.nvim_win_call(window, function()
      local view = vim.fn.winsaveview()
      views[#views + 1] = { window = window, view = view, at_end = view.lnum >= #self.lines }
    end)
  end
  return views
end

--- Show these lines instead of those before.
-- @param above whether all that changes comes above what is read, such as an older page
function Screen:show(new, above)
  local old = self.lines
  local head, tail = unchanged(old, new)
  if #old > 0 and head == #new and #old == #new then
    self.lines = new
    return
  end
  local views = self:_views()
  local replaced = {}
  for at = head + 1, #new - tail do
    replaced[#replaced + 1] = new[at].text
  end
  local last = #old == 0 and -1 or #old - tail
  vim.bo[self.buffer].modifiable = true
  vim.api.nvim_buf_clear_namespace(self.buffer, namespace, head, last)
  vim.api.nvim_buf_set_lines(self.buffer, head, last, false, replaced)
  vim.bo[self.buffer].modifiable = false
  for at = head + 1, #new - tail do
    mark(self.buffer, at - 1, new[at])
  end
  self.lines = new
  self:_restore(views, #old, #new, above and 0 or #old - tail)
end

function Screen:_restore(views, before, after, first_kept)
  for _, saved in ipairs(views) do
    vim.api.nvim_win_call(saved.window, function()
      if saved.at_end and first_kept > 0 or before == 0 then
        vim.api.nvim_win_set_cursor(saved.window, { math.max(after, 1), 0 })
        vim.cmd("normal! zb")
        return
      end
      local view = saved.view
      -- What stands below a change moves along with it.
      view.topline = view.topline > first_kept and math.max(1, view.topline + after - before) or view.topline
      view.lnum = view.lnum > first_kept and math.max(1, view.lnum + after - before) or view.lnum
      vim.fn.winrestview(view)
    end)
  end
end

return Screen
