-- A job is done: in one step, so that a worker that dies leaves no job behind that nobody would ever be given again.
-- An entry that nobody was given is another job: a failover took back the one that is done, and the time was used again.
if redis.call('XACK', jobs, group, entry) > 0 then redis.call('XDEL', jobs, entry) end
