import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding import EmbeddingQueue
from cipherlens.server.embedding import queue as queue_module
from cipherlens.server.embedding.asked import Asked
from cipherlens.server.errors import CallCancelled, DeadlineExpired, QueueFull, Stopping


class Network:
    """A network whose row is the first pixel; it can be held up, and notes its batches."""

    def __init__(self):
        self.batches = []
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Semaphore(0)
        self.failure = None

    def __call__(self, pixels):
        self.batches.append(pixels)
        self.begun.release()
        assert self.free.wait(20)
        if self.failure:
            raise self.failure
        return pixels.reshape(len(pixels), -1)[:, :1].astype(np.float32)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def make_queue(network):
    made = []

    def make(max_batch=8, max_waiting=64):
        queue = EmbeddingQueue(network, max_batch=max_batch, max_waiting=max_waiting)
        made.append(queue)
        return queue

    yield make
    network.free.set()
    for queue in made:
        queue.close()


def images(*values, shape=(2, 3, 3)):
    return [np.full(shape, value, np.uint8) for value in values]


class Asking:
    """A thread that asks a queue, and what became of it."""

    def __init__(self, queue, wanted, call=None, urgent=True):
        self.rows = self.error = None
        self._thread = threading.Thread(
            target=self._run, args=(queue, wanted, call or Call(), urgent)
        )
        self._thread.start()

    def _run(self, queue, wanted, call, urgent):
        try:
            self.rows = queue.embed(wanted, call, urgent=urgent)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def done(self):
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self


def entered(queue, count):
    """Wait until so many images wait."""
    with queue._changed:
        assert queue._changed.wait_for(lambda: queue._schedule.waiting >= count, 20)


def hold_up(network, queue):
    """Have the network at work on one image until `network.free` is set."""
    network.free.clear()
    first = Asking(queue, images(0))
    assert network.begun.acquire(timeout=20)
    return first


def test_rows_come_back_in_the_order_of_the_images(make_queue):
    rows = make_queue(max_batch=4).embed(images(*range(11)), Call(), urgent=False)
    assert rows.shape == (11, 1)
    assert rows[:, 0].tolist() == list(range(11))


def test_many_callers_each_get_their_own(make_queue):
    queue = make_queue(max_batch=7, max_waiting=1000)
    callers = [Asking(queue, images(i, i + 1, i + 2), urgent=i % 2 == 0) for i in range(40)]
    for i, caller in enumerate(callers):
        assert caller.done().rows[:, 0].tolist() == [i, i + 1, i + 2]


def test_images_of_many_calls_go_through_together(make_queue, network):
    queue = make_queue(max_batch=8)
    first = hold_up(network, queue)
    callers = [Asking(queue, images(i)) for i in range(1, 9)]
    entered(queue, 8)
    network.free.set()
    for caller in (first, *callers):
        caller.done()
    assert [len(each) for each in network.batches] == [1, 8]


def test_a_batch_has_one_shape(make_queue, network):
    queue = make_queue()
    mixed = [*images(1), *images(2, shape=(3, 2, 3)), *images(3), *images(4, shape=(3, 2, 3))]
    assert queue.embed(mixed, Call(), urgent=True)[:, 0].tolist() == [1, 2, 3, 4]
    assert {each.shape[1:] for each in network.batches} == {(2, 3, 3), (3, 2, 3)}


def test_an_expired_call_is_dropped_before_inference(make_queue, network):
    queue = make_queue()
    first = hold_up(network, queue)
    late = Asking(queue, images(7), Call.within(0.05))
    assert isinstance(late.done().error, DeadlineExpired)
    network.free.set()
    first.done()
    queue.close()
    assert len(network.batches) == 1


@pytest.mark.parametrize("urgent", [True, False])
def test_a_call_gives_back_thread_and_room_at_its_deadline(make_queue, network, urgent):
    queue = make_queue(max_waiting=2)
    first = hold_up(network, queue)
    late = Asking(queue, images(7, 8), Call.within(0.05), urgent=urgent)
    assert isinstance(late.done().error, DeadlineExpired)  # while the network is at work
    other = Asking(queue, images(9, 10), urgent=urgent)
    entered(queue, 2)
    network.free.set()
    assert other.done().rows[:, 0].tolist() == [9, 10]
    first.done()


def test_a_call_gives_back_thread_and_room_once_its_caller_is_gone(make_queue, network):
    queue = make_queue(max_waiting=2)
    first = hold_up(network, queue)
    ended = []
    active = [True]
    gone = Asking(queue, images(7, 8), Call(is_active=lambda: active[0], on_end=ended.append))
    entered(queue, 2)
    active[0] = False
    ended[0]()
    assert isinstance(gone.done().error, CallCancelled)
    other = Asking(queue, images(9, 10))
    entered(queue, 2)
    network.free.set()
    assert other.done().rows[:, 0].tolist() == [9, 10]
    first.done()


def test_a_call_that_ended_before_it_came_is_not_taken(make_queue, network):
    with pytest.raises(CallCancelled):
        make_queue().embed(images(1), Call(is_active=lambda: False), urgent=True)
    assert not network.batches


def test_a_cancelled_call_is_dropped_before_inference(make_queue, network):
    queue = make_queue()
    first = hold_up(network, queue)
    active = [True]
    gone = Asking(queue, images(7), Call(is_active=lambda: active[0]))
    other = Asking(queue, images(8))
    entered(queue, 2)
    active[0] = False
    network.free.set()
    assert isinstance(gone.done().error, CallCancelled)
    assert other.done().rows[:, 0].tolist() == [8]
    first.done()
    assert sum(len(each) for each in network.batches) == 2


def test_a_full_queue_answers_at_once_and_takes_none_of_them(make_queue, network):
    queue = make_queue(max_waiting=4)
    first = hold_up(network, queue)
    waiting = Asking(queue, images(1, 2, 3))
    entered(queue, 3)
    with pytest.raises(QueueFull) as caught:
        queue.embed(images(4, 5), Call(), urgent=True)
    assert caught.value.metadata == {"limit": "4", "value": "5"}
    fits = Asking(queue, images(4))
    entered(queue, 4)
    network.free.set()
    assert waiting.done().rows[:, 0].tolist() == [1, 2, 3]
    assert fits.done().rows[:, 0].tolist() == [4]
    first.done()


def test_a_closed_queue_finishes_what_waits_and_refuses_what_comes(make_queue, network):
    queue = make_queue()
    first = hold_up(network, queue)
    waiting = Asking(queue, images(1, 2))
    entered(queue, 2)
    closing = threading.Thread(target=queue.close)
    closing.start()
    network.free.set()
    closing.join(20)
    assert waiting.done().rows[:, 0].tolist() == [1, 2]
    first.done()
    with pytest.raises(Stopping):
        queue.embed(images(3), Call(), urgent=True)


def test_a_queue_closes_on_many_threads_with_one_image_left(network):
    for _ in range(20):
        queue = EmbeddingQueue(network, max_batch=8, max_waiting=64, passes=8)
        last = Asked(images(7), Call.within(20))
        with queue._changed:  # all threads wait, and find both at once
            queue._schedule.urgent.enter(last)
            queue._closed = True
            queue._changed.notify_all()
        for thread in queue._threads:
            thread.join(20)
            assert not thread.is_alive()
        assert last.rows()[:, 0].tolist() == [7]


def test_a_failing_network_fails_its_callers_and_works_on(make_queue, network):
    queue = make_queue(max_batch=2)
    network.failure = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        queue.embed(images(1, 2, 3, 4), Call(), urgent=False)
    network.failure = None
    assert queue.embed(images(5), Call(), urgent=False)[0, 0] == 5


def test_the_rest_of_a_failed_call_is_not_computed():
    told = threading.Event()
    seen = []

    def embed(pixels):
        seen.append(int(pixels.flat[0]))
        if len(seen) == 1:
            raise RuntimeError("once")
        assert told.wait(20)
        return np.zeros((1, 1), np.float32)

    queue = EmbeddingQueue(embed, max_batch=1, max_waiting=8)
    failing = Asking(queue, images(*range(1, 9)))
    assert isinstance(failing.done().error, RuntimeError)
    told.set()
    queue.close()
    assert len(seen) <= 2


def test_a_network_that_loses_rows_is_found_out(make_queue):
    queue = EmbeddingQueue(
        lambda p: np.zeros((len(p) - 1, 1), np.float32), max_batch=4, max_waiting=8
    )
    try:
        with pytest.raises(RuntimeError, match="rows"):
            queue.embed(images(1, 2), Call(), urgent=True)
    finally:
        queue.close()


def test_bulk_work_gets_its_turn_in_a_storm_of_queries_of_another_shape(make_queue, network):
    queue = make_queue(max_batch=1)
    first = hold_up(network, queue)
    bulk = Asking(queue, images(99, shape=(3, 2, 3)), urgent=False)
    entered(queue, 1)
    storm = [Asking(queue, images(i)) for i in range(12)]
    entered(queue, 13)
    network.free.set()
    for each in (first, bulk, *storm):
        each.done()
    place = [batch.shape[1:] for batch in network.batches].index((3, 2, 3))
    assert 1 < place <= 5


def test_queries_go_before_bulk_work(make_queue, network):
    queue = make_queue(max_batch=1)
    first = hold_up(network, queue)
    bulk = Asking(queue, images(50, 51), urgent=False)
    entered(queue, 2)
    query = Asking(queue, images(60))
    entered(queue, 3)
    network.free.set()
    for each in (first, bulk, query):
        each.done()
    assert [int(each.flat[0]) for each in network.batches] == [0, 60, 50, 51]


def test_a_query_shares_no_batch_with_bulk_work(make_queue, network):
    queue = make_queue(max_batch=8)
    first = hold_up(network, queue)
    bulk = Asking(queue, images(50, 51), urgent=False)
    query = Asking(queue, images(60))
    entered(queue, 3)
    network.free.set()
    for each in (first, bulk, query):
        each.done()
    assert [len(each) for each in network.batches] == [1, 1, 2]


def test_bulk_work_waits_for_no_company(make_queue, network):
    rows = make_queue(max_batch=8).embed(images(7), Call.within(20), urgent=False)
    assert rows[0, 0] == 7
    assert len(network.batches) == 1


def test_a_query_of_another_shape_goes_before_bulk_work_that_came_first(make_queue, network):
    queue = make_queue()
    first = hold_up(network, queue)
    bulk = Asking(queue, images(1, 2), urgent=False)
    entered(queue, 2)
    portrait = Asking(queue, images(3, shape=(3, 2, 3)))
    entered(queue, 3)
    network.free.set()
    for each in (first, bulk, portrait):
        each.done()
    assert [each.shape[1:] for each in network.batches[1:]] == [(3, 2, 3), (2, 3, 3)]


def test_shapes_take_turns_in_the_order_in_which_they_came(make_queue, network):
    queue = make_queue(max_batch=2)
    first = hold_up(network, queue)
    landscape = [Asking(queue, images(1, 2))]
    entered(queue, 2)
    portrait = Asking(queue, images(3, shape=(3, 2, 3)))
    entered(queue, 3)
    landscape += [Asking(queue, images(i, i + 1)) for i in (4, 6)]
    entered(queue, 7)
    network.free.set()
    for each in (first, portrait, *landscape):
        each.done()
    place = [each.shape[1:] for each in network.batches].index((3, 2, 3))
    assert place == 2  # behind what came before it, and before all that came after it


def test_a_full_lane_of_bulk_work_refuses_no_query_and_the_other_way_round(make_queue, network):
    queue = make_queue(max_waiting=4)
    first = hold_up(network, queue)
    bulk = Asking(queue, images(1, 2, 3, 4), urgent=False)
    entered(queue, 4)
    query = Asking(queue, images(5, 6, 7, 8))
    entered(queue, 8)
    for urgent, what in ((False, "4 images wait"), (True, "4 queries wait")):
        with pytest.raises(QueueFull, match=what):
            queue.embed(images(9), Call(), urgent=urgent)
    network.free.set()
    assert query.done().rows[:, 0].tolist() == [5, 6, 7, 8]
    assert bulk.done().rows[:, 0].tolist() == [1, 2, 3, 4]
    first.done()


class Runs:
    """How passes of a network run: so many images, so many at a time."""

    numeric_mode = "cpu-fp32"

    def __init__(self, at_once, passes):
        self.at_once, self.passes = at_once, passes
        self.shared = []

    def share_cores(self, passes):
        self.shared.append((threading.current_thread(), passes))


@pytest.mark.parametrize(("at_once", "sizes"), [(32, [4, 4]), (2, [2, 2, 2, 2])])
def test_a_server_s_bound_of_a_batch_holds_and_that_of_the_network(network, at_once, sizes):
    config = ServerConfig(data_dir=Path("data"), max_batch=4)
    queue = EmbeddingQueue.of(network, config, Runs(at_once, passes=1))
    queue.embed(images(*range(8)), Call(), urgent=False)
    queue.close()
    assert [len(each) for each in network.batches] == sizes


def test_passes_run_side_by_side_on_threads_that_share_the_cores():
    meeting = threading.Barrier(3, timeout=20)

    def embed(pixels):
        meeting.wait()  # passes only if three are under way at once
        return pixels.reshape(len(pixels), -1)[:, :1].astype(np.float32)

    runs = Runs(at_once=4, passes=3)
    queue = EmbeddingQueue.of(embed, ServerConfig(data_dir=Path("data")), runs)
    try:
        rows = queue.embed(images(*range(12)), Call.within(20), urgent=False)
        assert rows[:, 0].tolist() == list(range(12))
    finally:
        queue.close()
    assert len({thread for thread, _ in runs.shared}) == 3
    assert {passes for _, passes in runs.shared} == {3}


def test_queries_that_keep_coming_alone_get_all_the_cores(network, monkeypatch):
    monkeypatch.setattr(queue_module, "time", SimpleNamespace(perf_counter=lambda: 0.0))
    runs = Runs(at_once=4, passes=2)
    queue = EmbeddingQueue.of(network, ServerConfig(data_dir=Path("data")), runs)
    try:
        for value in range(20):
            queue.embed(images(value), Call.within(20), urgent=True)
        shared = [passes for _, passes in runs.shared]
        assert shared == sorted(shared, reverse=True)
        assert (shared[0], shared[-1], len(shared)) == (2, 1, 20)
        assert len({thread for thread, _ in runs.shared}) == 1
        queue.embed(images(1, 2, 3, 4), Call.within(20), urgent=True)
        assert runs.shared[-1][1] == 2
    finally:
        queue.close()
