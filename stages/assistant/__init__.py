"""The stages of the assistant pipeline, one script each; run in pipelines/assistant."""
