"""What is read and done, by subject: each method is awaited, and raises PipelineError."""
