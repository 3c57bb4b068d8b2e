-- One beat of a worker: is the job still its own, is it still wanted? And how far it has come.
--
-- KEYS 1 the job's lock   2 the job   3 the wish to cancel it
-- ARGV 1 the worker's token   2 progress as JSON, or empty for no news
-- Returns 'ok' | 'lost' | 'cancelled'
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if ARGV[2] ~= '' then call('HSET', KEYS[2], 'progress', ARGV[2]) end
if call('EXISTS', KEYS[3]) == 1 then return 'cancelled' end
return 'ok'
