"""What is kept of people: sealed under a key of each, found by a keyed hash, labelled with why and for how long."""
