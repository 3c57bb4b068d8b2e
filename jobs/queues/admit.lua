-- Decide atomically whether an order is accepted, and with which priority.
--
-- KEYS 1 fair tags of the queue (hash: V, u:<person>)   2 open orders, or photos, of the person (zset)
--      3 the person's orders of a day (zset)            4 set once the order was accepted
--      5 set while the order is being accepted
-- ARGV 1 key prefix of the queue   2 order id   3 person   4 cost in units of 10 s
--      5 'fair' or 'express'       6 now in s   7 limit of open orders   8 limit per day
--      9 limit of the queues       10 a name of this call, the same when it is retried
--      11... key prefixes of all queues that the limits count
--      A limit of 0 means no limit.
-- Returns {'ok', priority} | {'dup'} | {'busy'}: another call is adding it right now |
--      {'open', count} | {'day', unix time of the next one in s} | {'full', count}
local DAY_S = 86400
local GRACE_S = 30
local BUSY_MS = 5000
local HIGHEST_TAG = 2000000 -- BullMQ's limit is 2^21 = 2097152
local MANY_PERSONS = 1000
local MOST_AHEAD = 5 -- orders of which V may run ahead of the tag in service

local call = redis.call
local prefix, id, person, cost = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local now = tonumber(ARGV[6])

local function unfinished(of)
  return call('LLEN', of .. 'active') + call('LLEN', of .. 'wait')
    + call('ZCARD', of .. 'prioritized') + call('ZCARD', of .. 'delayed')
end

-- Accepted before, in any queue?
if call('EXISTS', KEYS[4]) == 1 then return {'dup'} end
for i = 11, #ARGV do
  if call('EXISTS', ARGV[i] .. id) == 1 then return {'dup'} end
end
-- A call is retried under the same name when its answer was lost with the connection.
local busy = call('HMGET', KEYS[5], 'call', 'priority')
if busy[1] == ARGV[10] then return {'ok', tonumber(busy[2])} end
if busy[1] then return {'busy'} end

-- The person's open orders: each member is checked, so there is no counter that could leak. One
-- without a job is about to be added, or was removed by somebody else.
local open, own = 0, prefix .. id
local members = call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #members, 2 do
  local job, since = members[i], tonumber(members[i + 1])
  if job ~= own then
    local is_over = call('HEXISTS', job, 'finishedOn') == 1
    local is_lost = now - since > GRACE_S and call('EXISTS', job) == 0
    if is_over or is_lost then
      call('ZREM', KEYS[2], job)
    else
      open = open + 1
    end
  end
end
local open_limit = tonumber(ARGV[7])
if open_limit > 0 and open >= open_limit then return {'open', open} end

-- The person's orders of the last 24 hours.
call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - DAY_S)
call('ZREM', KEYS[3], id)
local day_limit, today = tonumber(ARGV[8]), call('ZCARD', KEYS[3])
if day_limit > 0 and today >= day_limit then
  local at = today - day_limit
  local leaves = call('ZRANGE', KEYS[3], at, at, 'WITHSCORES')[2]
  return {'day', tostring(tonumber(leaves) + DAY_S)}
end

-- All orders of everybody.
local queue_limit, total = tonumber(ARGV[9]), 0
for i = 11, #ARGV do total = total + unfinished(ARGV[i]) end
if queue_limit > 0 and total >= queue_limit then return {'full', total} end

-- Start-time fair queueing. V is the virtual time in units of work. It follows the running orders,
-- so that nobody saves up turns, and nobody pays for work that others have had meanwhile.
local priority = 0
if ARGV[5] == 'fair' then
  if unfinished(prefix) == 0 then call('DEL', KEYS[1]) end
  local V = tonumber(call('HGET', KEYS[1], 'V') or 1)
  local served = 0 -- the tag in service, else the next one
  for _, job in ipairs(call('LRANGE', prefix .. 'active', 0, -1)) do
    served = math.max(served, tonumber(call('HGET', prefix .. job, 'priority') or 0))
  end
  V = math.max(V, served)
  if served == 0 then
    local job = call('ZRANGE', prefix .. 'prioritized', 0, 0)[1]
    served = job and tonumber(call('HGET', prefix .. job, 'priority')) or V
  end
  local F = tonumber(call('HGET', KEYS[1], 'u:' .. person) or 0)
  -- At the cap, orders are served in the order in which they came.
  local S = math.min(HIGHEST_TAG, math.max(V, F))
  -- Each newcomer advances V a little: otherwise a series of newcomers would all be put before a
  -- person who has waited longer. V stays within a few orders of the tag in service: otherwise many
  -- newcomers would be put behind all orders of somebody with a hundred; within a single order,
  -- whoever had a costly one would wait for many hours. An order behind others of its person does
  -- not advance V.
  if F <= V then V = math.max(V, math.min(V + cost / 10, served + MOST_AHEAD * cost)) end
  call('HSET', KEYS[1], 'u:' .. person, tostring(S + cost), 'V', tostring(V))
  if call('HLEN', KEYS[1]) > MANY_PERSONS then
    local tags = call('HGETALL', KEYS[1])
    for i = 1, #tags, 2 do
      if tags[i] ~= 'V' and tonumber(tags[i + 1]) <= V then call('HDEL', KEYS[1], tags[i]) end
    end
  end
  priority = math.max(1, math.floor(S))
end

-- Even without a limit: a look counts as a photo, whose limit applies when it is fetched.
call('ZADD', KEYS[2], now, own)
call('EXPIRE', KEYS[2], 2 * DAY_S)
if day_limit > 0 then
  call('ZADD', KEYS[3], now, id)
  call('EXPIRE', KEYS[3], DAY_S)
end
call('HSET', KEYS[5], 'call', ARGV[10], 'priority', priority)
call('PEXPIRE', KEYS[5], BUSY_MS)
return {'ok', priority}
