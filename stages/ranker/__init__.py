"""The stages of the ranker pipeline, one script each; run in pipelines/ranker."""
