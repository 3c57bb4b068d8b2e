-- Return when the oldest unfinished job of a queue was added, in ms; nil if there is none.
--
-- ARGV 1 key prefix of the queue
local call, prefix = redis.call, ARGV[1]

local oldest
local function look(jobs)
  for _, job in ipairs(jobs) do
    local added = tonumber(call('HGET', prefix .. job, 'timestamp') or '')
    if added and (not oldest or added < oldest) then oldest = added end
  end
end

look(call('LRANGE', prefix .. 'active', 0, -1))
look(call('LRANGE', prefix .. 'wait', 0, -1))
look(call('ZRANGE', prefix .. 'prioritized', 0, -1))
look(call('ZRANGE', prefix .. 'delayed', 0, -1))
return oldest
