"""The state table: what an agent must remember, partition by partition, durable before the offsets that it came from.

Faust's own tables send changelog records as writes happen, so a tombstone can be durable while the row it released is not; here a chunk's writes
stay staged until its checkpoint. Knows nothing of what is stored.
"""
