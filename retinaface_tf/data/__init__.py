"""Makes batches from label files and images, with tf.data."""
