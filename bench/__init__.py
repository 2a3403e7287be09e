"""Speed and size of the proxy, measured beside what it could have been built with.

`python -m bench` runs all of it, `python -m bench.imports` and its siblings one part each. Only the
CPU time of the process under measurement counts (`subject`); what it speaks to are processes of the
bench itself, on another CPU. Linux alone: it is what Lambda runs.
"""
