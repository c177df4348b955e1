"""Edges: how true they are (accuracy), and how fast (speed), beside other libraries."""
