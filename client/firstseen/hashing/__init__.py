"""From a file to an item, on the device. Nothing here knows of a network."""
