"""Published trackers behind one call: detections of one position in, base links out. Imported only when chosen."""
