"""What an input may point to: the guard, resolving and fetching; the only room that opens addresses a user gave."""
