"""Images, image sets, runs and sweeps made up for tests; no test makes them elsewhere.

`making.images`: arrays of pixels and their encodings. `making.folders`: labelled images on disk and
image sets without files. `making.records`: records and their comparison without files.
`making.sweeps`: run folders and sweep folders as real runs leave them, and a sweep file.
"""
