"""What one small upload costs, counted."""

from benchmarks.counts import count_ours, count_what_is_stored
from benchmarks.deployment import deployment_on
from tests.databases import Databases


def test_a_small_upload_costs_no_more_than_it_must(databases: Databases) -> None:
    with databases.fresh() as url, deployment_on(url) as made:
        # When small uploads go the whole way from a producer's commit to the record
        costs = count_ours(made)
        # And what is recorded is downloaded, and an upload URL signed
        downloading, signing = count_what_is_stored(made)

    # Then S3 sees one request, and SQL one statement that claims and looks up, and one that records
    assert costs.s3_requests == ["PutObject"]
    assert costs.sql_of_the_producer == ["INSERT jobs", "INSERT transfers"]
    assert costs.sql_of_the_worker == ["WITH transfers", "WITH transfers"]
    # Each commits itself. The producer's request has a BEGIN and a COMMIT
    assert costs.round_trips_of_the_worker == 2
    assert costs.round_trips_of_the_producer == 2 + 2
    # And the broker one message of about a kilobyte, taken and acknowledged once
    assert costs.message_bytes < 1_100
    # One command more wakes a worker
    assert costs.redis_commands_of_the_producer == {"lpush": 2}
    # One script looks at the five queues, takes it and notes it, so that it is never nowhere. One
    # more moves the note to where kombu looks.
    taken = {"eval": 2, "rpop": 5, "set": 1, "ltrim": 1}
    noted, ended = {"zadd": 1, "hset": 2}, {"zrem": 1, "hdel": 2}
    transactions = {"multi": 1, "exec": 1}
    commands = dict(costs.redis_commands_of_the_worker)
    # Its three events for Flower leave together, unless the machine is slow
    assert commands.pop("publish", 0) <= 3
    assert commands == taken | noted | ended | transactions
    assert downloading == ["GetObject"]
    assert signing == []
