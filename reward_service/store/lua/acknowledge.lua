-- A job is done: in one step, so that a worker that dies leaves no job behind that nobody would ever be given again.
redis.call('XACK', jobs, group, entry)
redis.call('XDEL', jobs, entry)
