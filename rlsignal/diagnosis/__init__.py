"""What to do: one module a question, each with its result type beside it. Every number is a call of the mathematics."""
