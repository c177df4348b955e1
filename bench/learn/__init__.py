"""Learning a kernel: exactness, coverage of the intervals, time and memory, beside what people use today."""
