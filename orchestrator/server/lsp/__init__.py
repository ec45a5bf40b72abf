"""The language in an editor: diagnostics, completion, renaming and more, by the LSP."""
