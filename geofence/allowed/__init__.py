"""What a policy allows with the lists at hand: which exceptions, and until when. Pure."""
