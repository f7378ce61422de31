"""What a person may order without a commit, by tags: shared by the command line and the page."""
