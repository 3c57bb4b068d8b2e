-- The work ahead of a job, in frames.
--
-- ARGV 1 key prefix of the queue   2 job id; empty: a job that comes last
-- Returns {frames of the jobs that start before it, its own frames, its progress, {frames and
-- progress of each job that must end first}}.
local call = redis.call
local prefix, id = ARGV[1], ARGV[2]

-- An order's name contains its frames, see `Queues.submit`: decoding its data would be slower.
local function frames_of(job)
  local name = call('HGET', prefix .. job, 'name') or ''
  return tonumber(string.match(name, '^(%d+) frames$') or 0)
end

local function progress_of(job) return call('HGET', prefix .. job, 'progress') or '' end

local active = call('LRANGE', prefix .. 'active', 0, -1)
for _, job in ipairs(active) do
  if job == id then return {0, frames_of(id), progress_of(id), {}} end
end

local before = {}
local express = call('LRANGE', prefix .. 'wait', 0, -1)
local rank = call('ZRANK', prefix .. 'prioritized', id)
if rank then
  before = express
  if rank > 0 then
    for _, job in ipairs(call('ZRANGE', prefix .. 'prioritized', 0, rank - 1)) do
      before[#before + 1] = job
    end
  end
elseif id == '' then
  before = express
  for _, state in ipairs({'prioritized', 'delayed'}) do
    for _, job in ipairs(call('ZRANGE', prefix .. state, 0, -1)) do before[#before + 1] = job end
  end
elseif call('LPOS', prefix .. 'wait', id) then
  -- The next one to start is the list's last.
  for i = #express, 1, -1 do
    if express[i] == id then break end
    before[#before + 1] = express[i]
  end
end

local ahead, running = 0, {}
for _, job in ipairs(before) do ahead = ahead + frames_of(job) end
for _, job in ipairs(active) do running[#running + 1] = {frames_of(job), progress_of(job)} end
return {ahead, frames_of(id), '', running}
