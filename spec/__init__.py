"""An executable specification of the pipeline's protocol: `python -m spec` explores it.

Its states and steps share no code with the pipeline.
"""
