"""`python -m artifact_pipeline.worker.cli`: the same as `artifacts`."""

from artifact_pipeline.worker.cli.main import main

if __name__ == "__main__":
    main()
