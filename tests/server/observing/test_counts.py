import threading

from cipherlens.server.observing.counts import BUCKETS_S, Counts

KEY = ("Search", "OK")


def test_each_duration_is_in_the_bucket_that_ends_at_or_after_it():
    counts = Counts()
    for seconds in (*BUCKETS_S, 31.0):
        counts.add(KEY, seconds)
    found = counts.total()[KEY]
    assert found.buckets == [1] * (len(BUCKETS_S) + 1)
    assert found.sum_s == sum(BUCKETS_S) + 31


def test_threads_lose_nothing_also_after_they_have_ended():
    counts = Counts()

    def work(number):
        for _ in range(1000):
            counts.add((str(number % 2),), 0.001, 2)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        counts.total()  # a scrape meanwhile disturbs nobody
    assert {key: sum(each.buckets) for key, each in counts.total().items()} == {
        ("0",): 8000,
        ("1",): 8000,
    }
