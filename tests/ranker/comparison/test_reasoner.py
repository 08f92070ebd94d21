"""The reasoning ranker on a tiny model: real texts, real embeddings, one each."""
