"""From label files and images to batches, with tf.data."""
