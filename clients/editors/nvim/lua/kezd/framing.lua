--- How lines are cut out of a byte stream. Pure: chunks in, lines out.
--
-- Invariant: a line that comes in many pieces costs one concatenation, not one a piece.

local Framing = {}
Framing.__index = Framing

--- @param limit bytes of the longest line
function Framing.new(limit)
  return setmetatable({ limit = limit, pieces = {}, size = 0 }, Framing)
end

--- The lines that `chunk` ends, in order, without their ends; nil when one is over the limit.
function Framing:feed(chunk)
  local lines, at = {}, 1
  while true do
    local stop = chunk:find("\n", at, true)
    local piece = chunk:sub(at, (stop or 0) - 1)
    self.size = self.size + #piece
    if self.size > self.limit then
      return nil
    end
    self.pieces[#self.pieces + 1] = piece
    if not stop then
      return lines
    end
    local line = table.concat(self.pieces)
    self.pieces, self.size = {}, 0
    if line:find("%S") then
      lines[#lines + 1] = line
    end
    at = stop + 1
  end
end

return Framing
