"""The pages: what a person sees, rendered here and sent as HTML."""
