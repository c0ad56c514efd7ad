"""What ciphertext gives away: an attack is one file, and says what its attacker holds.

`owner` encrypts as an owner does and tells the truth afterwards, `blocks` cuts pictures, `looks`
says how alike two pictures are. The attacks see what `owner` gives a server, never a key.
"""
