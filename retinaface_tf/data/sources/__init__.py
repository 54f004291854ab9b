"""Labels of others: COCO, YOLO, VOC, each a reader that returns labelled images."""
