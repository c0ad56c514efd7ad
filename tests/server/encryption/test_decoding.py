import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from cipherlens.crypto import CipherParameters
from cipherlens.server.encryption import decoding, pictures
from cipherlens.server.encryption.decoding import DecodedPixels
from cipherlens.server.errors import InvalidField, QueueFull

SIZE = CipherParameters(block_size=8, substituted_blocks=2, height=16, width=32)


def test_pictures_wait_for_room_in_the_order_of_coming():
    pixels, order = DecodedPixels(10), []

    def decode(name, count):
        with pixels.room(count):
            order.append(name)

    with ThreadPoolExecutor(3) as threads:
        with pixels.room(8):
            waiting = []
            for name, count in (("large", 10), ("small", 2)):
                waiting.append(threads.submit(decode, name, count))
                with pixels._changed:
                    assert pixels._changed.wait_for(
                        lambda: len(pixels._waiting) == len(waiting), 20
                    )
            assert order == []
        for each in waiting:
            each.result(20)
    assert order == ["large", "small"]


def test_one_that_is_larger_than_all_room_is_decoded_alone():
    pixels = DecodedPixels(10)
    with pixels.room(11):
        pass
    with pixels.room(4), pixels.room(6):
        pass


def test_who_waits_too_long_is_refused_and_the_next_goes_on(monkeypatch):
    monkeypatch.setattr(decoding, "_LONGEST_WAIT_S", 0.05)
    pixels = DecodedPixels(10)
    with pixels.room(8):
        with pytest.raises(QueueFull, match="pictures of 10 pixels"), pixels.room(3):
            pass
        with pixels.room(2):
            pass


def large(width, height):
    """Return a PNG of one colour: some KB for millions of pixels."""
    file = io.BytesIO()
    Image.new("RGBA", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


def test_large_pictures_of_many_calls_are_decoded_one_after_the_other(monkeypatch):
    """Five at once of 98 million pixels took 6.2 GB."""
    data = large(3000, 2000)
    opened, most, lock = [], [], threading.Lock()
    open_image = pictures.open_image

    def watched(source):
        with lock:
            opened.append(source)
            most.append(len(opened))
        try:
            return open_image(source)
        finally:
            with lock:
                opened.pop()

    monkeypatch.setattr(pictures, "open_image", watched)
    monkeypatch.setattr(pictures, "_DECODED", DecodedPixels(12_000_000))
    with ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(pictures.read_picture, "f", data, SIZE) for _ in range(6)]
        assert all(each.result(60)[1] == "image/png" for each in calls)
    assert max(most) <= 2


MEMORY = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from cipherlens.crypto import CipherParameters
from cipherlens.server.encryption import decoding, pictures
decoding._LONGEST_WAIT_S = 600.0  # a busy machine is no failure
size = CipherParameters(block_size=8, substituted_blocks=2, height=16, width=32)
data = sys.stdin.buffer.read()
decoding.return_large_blocks()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
pictures.read_picture("f", data, size)
one = peak()
with ThreadPoolExecutor(5) as threads:
    list(threads.map(lambda _: pictures.read_picture("f", data, size), range(5)))
print(one, peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="speaks to glibc's allocator")
def test_what_a_picture_took_is_given_back_whatever_thread_it_came_on():
    child = subprocess.run(
        [sys.executable, "-c", MEMORY],
        input=large(8000, 7000),
        stdout=subprocess.PIPE,
        check=True,
    )
    one_mib, five_mib = map(int, child.stdout.split())
    assert five_mib < 1.5 * one_mib


def test_a_bomb_is_refused_by_what_its_header_declares():
    data = bytearray(large(64, 64))
    data[16:24] = (60_000).to_bytes(4) * 2  # width and height; the checksum is then wrong as well
    with pytest.raises(InvalidField):
        pictures.read_picture("f", bytes(data), SIZE)
