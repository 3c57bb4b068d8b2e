-- Lowers all tags of a queue by the same amount: above 2^21, priorities would lose their order.
--
-- KEYS 1 fair tags of the queue (hash: V, u:<person>)   2 the counter of priorities
-- ARGV 1 key prefix of the queue
-- Returns the amount. The order of those that wait stays as it is.
local call = redis.call
local prefix = ARGV[1]
local BLOCK = 4294967296 -- a score is priority * 2^32 + counter

local V = tonumber(call('HGET', KEYS[1], 'V') or 1)
local active = call('LRANGE', prefix .. 'active', 0, -1)
for _, job in ipairs(active) do
  V = math.max(V, tonumber(call('HGET', prefix .. job, 'priority') or 0))
end
-- V has a fractional part. It stays, so that it comes to lie between the same two priorities.
local amount = math.floor(V) - 1
if amount < 1 then return 0 end

local function lowered(priority) return math.max(1, priority - amount) end

local waiting = call('ZRANGE', prefix .. 'prioritized', 0, -1, 'WITHSCORES')
for i = 1, #waiting, 2 do
  local job, score = waiting[i], tonumber(waiting[i + 1])
  local priority, counter = lowered(math.floor(score / BLOCK)), score % BLOCK
  -- Several priorities become 1. Their places, not their counters, keep them in order; those that
  -- come later have higher counters, for so many were counted.
  if priority == 1 then counter = (i + 1) / 2 end
  call('ZADD', prefix .. 'prioritized', string.format('%.0f', priority * BLOCK + counter), job)
  call('HSET', prefix .. job, 'priority', priority)
end
if tonumber(call('GET', KEYS[2]) or 0) < #waiting / 2 then call('SET', KEYS[2], #waiting / 2) end

-- What runs and what will be tried again, else the next order would lift V straight back.
local others = call('ZRANGE', prefix .. 'delayed', 0, -1)
for _, job in ipairs(active) do others[#others + 1] = job end
-- An order that stalled waits with those of the express lane and keeps its priority for later.
for _, job in ipairs(call('LRANGE', prefix .. 'wait', 0, -1)) do others[#others + 1] = job end
for _, job in ipairs(others) do
  local priority = tonumber(call('HGET', prefix .. job, 'priority') or 0)
  if priority > 0 then call('HSET', prefix .. job, 'priority', lowered(priority)) end
end

local tags = call('HGETALL', KEYS[1])
for i = 1, #tags, 2 do
  if tags[i] ~= 'V' then
    call('HSET', KEYS[1], tags[i], tostring(math.max(1, tonumber(tags[i + 1]) - amount)))
  end
end
call('HSET', KEYS[1], 'V', tostring(V - amount))
return amount
