"""Speech made of text, on this machine: a model reads English, in a process of its own; a babble stands in for it."""
