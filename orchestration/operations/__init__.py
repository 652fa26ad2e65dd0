"""What a person starts: the night, the servers."""
