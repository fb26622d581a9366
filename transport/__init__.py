"""The lossless Faust transport.

Stock Faust commits past unfinished work, and drops messages around a rebalance. This package replaces its aiokafka consumer: records travel in
chunks, only the contiguous done prefix of what was *delivered* is committed, and one place owns the order of effects (`transport.checkpoint`).
It knows nothing of what the records mean.
"""
