"""Takes a cutover back out of the org: rows that we made go, rows of others get back what they were; what a person has touched since stays.

`verdict` is what is to become of a row, `judge` decides it, `children` finds what hangs on rows, `values` compares, `walk` goes through all rows and
carries out, `still` waits until nobody loads, `run` puts it together.
"""
