-- Take back the cost of an order that never began.
--
-- KEYS 1 fair tags of the queue
-- ARGV 1 person   2 cost in units of 10 s
local call = redis.call
local V = tonumber(call('HGET', KEYS[1], 'V') or '')
local F = tonumber(call('HGET', KEYS[1], 'u:' .. ARGV[1]) or '')
if not V or not F then return end
local cost = tonumber(ARGV[2])
F = F - cost
call('HSET', KEYS[1], 'u:' .. ARGV[1], tostring(F))
-- See admit.lua: a newcomer's order advances V. Ordering and cancelling must not.
if F <= V then call('HSET', KEYS[1], 'V', tostring(math.max(1, V - cost / 10))) end
