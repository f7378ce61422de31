"""What a person may do without a commit, by writing tags. Shared by the command line and the page."""
