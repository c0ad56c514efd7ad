import threading

from cipherlens.client import FolderReport, Progress, Skipped
from cipherlens.client.folder.tally import FolderEvent, Tally


def test_a_listener_may_ask_how_far_it_is_and_so_may_a_thread_that_it_waits_for() -> None:
    reports: list[FolderReport] = []

    def listen(_event: FolderEvent) -> None:
        reports.append(tally.report())
        other = threading.Thread(target=lambda: reports.append(tally.report()), daemon=True)
        other.start()
        other.join(5)

    tally = Tally(listen)
    asking = threading.Thread(target=lambda: tally.count(found=3), daemon=True)
    asking.start()
    asking.join(10)
    assert not asking.is_alive()
    assert [report.found for report in reports] == [3, 3]


def test_events_come_in_the_order_of_the_counts() -> None:
    events: list[FolderEvent] = []
    tally = Tally(events.append)
    tally.count(found=200)
    threads = [
        threading.Thread(target=lambda: [tally.count(indexed=1) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events == [Progress(done=done, found=200) for done in range(201)]


def test_what_is_skipped_is_told_before_the_progress_and_counted_with_it() -> None:
    events: list[FolderEvent] = []
    tally = Tally(events.append)
    skipped = Skipped(name="a", reason="broken")
    tally.skip(skipped)
    tally.skip(skipped, found=False)
    assert events == [skipped, Progress(done=1, found=0)] * 2
    assert (len(tally.report().skipped), tally.report().other_files) == (2, 1)
