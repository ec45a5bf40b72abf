"""One content-addressed store: what was answered is not paid for twice.

`cached` stands in front of whoever answers. Answers are kept on `disk`, in a Redis that is
`shared`, or in the files of a `cassette`.
"""
