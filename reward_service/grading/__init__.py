"""Whether two answers are equal: the seam that a finer grader fills."""
