"""The stages of the safety pipeline, one script each; run in pipelines/safety."""
