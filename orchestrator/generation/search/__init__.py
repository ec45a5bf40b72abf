"""Current information for a request, without letting a page write the prompt."""
