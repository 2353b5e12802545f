"""Shards: parts of the sites of one run, worked on by calls of their own (jobs of a cluster).

`part` says which sites a shard has, `stretch` which steps shards can do before results are merged,
`plan` what all shards of a run have in common, `work` does a shard, `taken_in` merges what shards
have on record, `courses` says how far a call without a shard goes.
"""
