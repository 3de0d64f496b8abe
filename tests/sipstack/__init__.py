"""Real SIP stacks behind the fence: what strangers try, and what honest peers must not lose."""
