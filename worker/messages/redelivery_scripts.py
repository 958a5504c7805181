"""Scripts that move a message in one step, so that it is somewhere whatever the broker refuses."""

# A broker whose memory is full allows a script only what follows a command that frees some. So an
# entry is deleted first there, and last elsewhere: a user without the right to one of the commands
# would lose it otherwise. A script is not undone when it fails.
_WRITE_THEN_DELETE = """
local function write_then_delete(write, delete)
    local answer = write(redis.pcall)
    if type(answer) == 'table' and answer.err then
        if not string.find(answer.err, 'OOM', 1, true) then return answer end
        delete()
        return write(redis.call)
    end
    delete()
    return answer
end
"""
# BRPOP gives an element to a client that may die before it has noted it anywhere. This takes it and
# notes it in one step. It shows as well what lies behind it, if the user may run LRANGE.
# What pushes have left in the lists to wait at means nothing once the queues are empty, and adds up
# while they are not.
# KEYS: the channel's, TAKEN, the lists to wait at, the queues. ARGV: seconds, the tag, how many
# elements to show, how many lists to wait at.
TAKE = """
local first, lists = 3 + ARGV[4], tonumber(ARGV[4])
for i = first, #KEYS do
    local element = redis.call('RPOP', KEYS[i])
    if element then
        local noted = redis.pcall('SET', KEYS[1], '1', 'EX', ARGV[1])
        if not noted.err then
            noted = redis.pcall('HSET', KEYS[2], ARGV[2], #KEYS[i] .. ':' .. KEYS[i] .. element)
        end
        if type(noted) == 'table' and noted.err then
            redis.call('RPUSH', KEYS[i], element)
            return noted
        end
        redis.pcall('LTRIM', KEYS[3 + (i - first) % lists], 0, 9)
        local shown = {}
        if tonumber(ARGV[3]) > 0 then shown = redis.pcall('LRANGE', KEYS[i], -ARGV[3], -1) end
        return {KEYS[i], {element, shown.err and {} or shown}}
    end
end
redis.pcall('DEL', unpack(KEYS, 3, first - 1))
return false
"""
# KEYS: TAKEN, a queue. ARGV: the tag, elements that lie in the queue.
DROP = """
for i = 2, #ARGV do redis.call('LREM', KEYS[2], -1, ARGV[i]) end
redis.call('HDEL', KEYS[1], ARGV[1])
"""
# Forget what is no entry of ours. KEYS: TAKEN. ARGV: the tag.
PUT_BACK = f"""{_WRITE_THEN_DELETE}
local entry = redis.call('HGET', KEYS[1], ARGV[1])
local colon = entry and string.find(entry, ':', 1, true)
local length = colon and tonumber(string.sub(entry, 1, colon - 1))
return write_then_delete(function(run)
    if not length then return false end
    local last = colon + length
    return run('RPUSH', string.sub(entry, colon + 1, last), string.sub(entry, last + 1))
end, function() redis.call('HDEL', KEYS[1], ARGV[1]) end)
"""
# The same for what is noted among the unacknowledged ones.
# KEYS: TAKEN, the index, the hash. ARGV: the tag, its time, the message.
NOTE = f"""{_WRITE_THEN_DELETE}
return write_then_delete(function(run)
    local answer = run('ZADD', KEYS[2], ARGV[2], ARGV[1])
    if type(answer) == 'table' and answer.err then return answer end
    return run('HSET', KEYS[3], ARGV[1], ARGV[3])
end, function() redis.call('HDEL', KEYS[1], ARGV[1]) end)
"""
