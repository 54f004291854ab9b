"""What surrounds a detector where it is used: frames in, results and pictures out."""
