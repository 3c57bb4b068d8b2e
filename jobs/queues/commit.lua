-- Store a result if the worker still holds the job.
--
-- KEYS 1 the job's lock   2 the job
-- ARGV 1 the worker's token   2 the field   3 the result as JSON
-- Returns 1 | 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 1
