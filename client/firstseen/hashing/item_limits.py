"""How many hashes an item may have."""

from typing import Final

# What a server takes of one item, unless its policy says otherwise.
QUERY_HASHES: Final = 4_096
# In a list. A film of three hours at one frame a second fits whole, and so does every chunk of
# the longest text that is read.
BANK_HASHES: Final = 20_000
