import numpy as np

from benchmarks.leakage.owner import Owner
from benchmarks.methods.keys import measured_key
from cipherlens.crypto import CipherParameters, ImageCipher, Scope

SIZE = {"height": 64, "width": 96, "block_size": 16, "substituted_blocks": 6}


def test_under_one_key_it_encrypts_as_the_client_does(noise):
    parameters = CipherParameters(**SIZE, scope=Scope.COLLECTION)
    expected, _ = ImageCipher(measured_key(parameters, 3)).encrypt(noise)
    assert (Owner(parameters, 3).seen(noise) == expected).all()


def test_under_fresh_keys_no_two_are_alike_and_a_seed_makes_them_again(noise):
    parameters = CipherParameters(**SIZE, scope=Scope.IMAGE)
    owner = Owner(parameters, 3)
    twice = owner.seen(np.stack([noise[0], noise[0]]))
    assert (twice[0] != twice[1]).any()
    assert (Owner(parameters, 3).seen(np.stack([noise[0], noise[0]])) == twice).all()
