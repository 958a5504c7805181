"""An executable specification of the pipeline's protocol: `python -m spec` explores it.

It has its own states and steps, and shares no code with the pipeline.
"""
