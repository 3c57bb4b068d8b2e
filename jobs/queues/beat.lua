-- Check that a worker still holds a job and that it is not cancelled; store its progress, and when
-- this was.
--
-- KEYS 1 the job's lock   2 the job   3 set when it is to be cancelled
-- ARGV 1 the worker's token   2 progress as JSON, or empty if unchanged   3 the field for the time
-- Returns 'ok' | 'lost' | 'cancelled'
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
call('HSET', KEYS[2], ARGV[3], call('TIME')[1])
if ARGV[2] ~= '' then call('HSET', KEYS[2], 'progress', ARGV[2]) end
if call('EXISTS', KEYS[3]) == 1 then return 'cancelled' end
return 'ok'
