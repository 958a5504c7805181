"""What one small upload costs, counted."""

from benchmarks.counts import count_small_upload


def test_a_small_upload_costs_no_more_than_it_must() -> None:
    # When small uploads go the whole way from a producer's commit to the record
    costs = count_small_upload()

    # Then S3 sees one request, and SQL a claim, two look-ups and one transaction that records
    assert costs["s3_requests"] == ["PutObject"]
    assert costs["sql_of_the_producer"] == ["BEGIN", "INSERT transfers"]
    assert costs["sql_of_the_worker"] == [
        *("BEGIN", "UPDATE transfers"),
        *("SELECT jobs", "SELECT artifacts"),
        *("BEGIN", "UPDATE transfers", "INSERT artifacts"),
    ]
    # And the broker one message of about a kilobyte, taken and acknowledged once
    assert costs["message_bytes"] < 1_100
    assert costs["redis_commands_of_the_producer"] == {"lpush": 1}
    worker = costs["redis_commands_of_the_worker"]
    assert (worker["brpop"], worker["zadd"], worker["zrem"]) == (1, 1, 1)
    # And what is recorded is downloaded by one request, and a URL signed without any
    assert costs["s3_requests_of_a_download"] == ["GetObject"]
    assert costs["s3_requests_of_an_upload_url"] == []
