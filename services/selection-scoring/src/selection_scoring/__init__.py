"""Selection rounds: the pool of candidates, the ballots of the board, the exact ranking."""
