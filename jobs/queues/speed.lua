-- Update an exponential moving average.
--
-- KEYS 1 the average
-- ARGV 1 the measurement   2 its weight, 0 to 1   3 its time to live, s
local mean, value = tonumber(redis.call('GET', KEYS[1]) or ''), tonumber(ARGV[1])
if mean then value = mean + tonumber(ARGV[2]) * (value - mean) end
redis.call('SET', KEYS[1], tostring(value), 'EX', ARGV[3])
