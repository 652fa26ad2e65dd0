"""What must not stay: requests past retention, people who are forgotten."""
